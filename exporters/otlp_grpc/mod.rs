//! `otlp_grpc` sends logs, metrics and traces over OTLP/gRPC.
//!
//! Promises: the request's bytes go out as they are, without decoding and, uncompressed, without a copy; every
//! status falls into exactly the class the OTLP specification and the Collector give it; a broken connection is
//! never mistaken for a verdict of the server.
//!
//! Hyper's HTTP/2 client is used directly: a unary call is one frame out and one in, and tonic mixes the server's
//! statuses with its own for broken connections. Streams share one connection; the engine bounds their number, and a
//! connection on which nothing comes back is given up ([`line`]).

mod config;
mod connect;
mod reply;
mod target;
#[cfg(test)]
mod tests;

use crate::{
    line::Line,
    otlp_reply::{ReplyCounters, chain},
};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use config::{Config, Plan};
use connect::Connector;
use http::{HeaderValue, Method, Uri, header, uri::PathAndQuery};
use http_body_util::Full;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use lanner_engine::{net::client::Compressor, prelude::*};
use lanner_proto::grpc_path;
use reply::{NoReply, Reply};
use tonic::Code;

/// The component type.
pub struct OtlpGrpc;

impl Component for OtlpGrpc {
    const TYPE: &'static str = "otlp_grpc";
    const ALIASES: &'static [&'static str] = &["otlp"];
    const STABILITY: Stability = Stability::Beta;
    const SIGNALS: Signals = Signals::ALL;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

/// Frame head and message, sent one behind the other without joining them in memory.
type Body = Full<bytes::buf::Chain<Bytes, Bytes>>;

struct OtlpGrpcExporter {
    line: Line<hyper_util::client::legacy::Client<Connector, Body>>,
    /// In the order of `Signal::ALL`.
    uris: [Uri; 3],
    headers: http::HeaderMap,
    compressor: Compressor,
    counters: ReplyCounters,
}

#[async_trait]
impl ExporterPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        let connector = Connector::new(&self)?;
        let scheme = if self.tls.is_plaintext() { "http" } else { "https" };
        let uri = |path: &'static str| {
            Uri::builder()
                .scheme(scheme)
                .authority(self.authority.clone())
                .path_and_query(PathAndQuery::from_static(path))
                .build()
        };
        let uris = [uri(grpc_path::LOGS)?, uri(grpc_path::METRICS)?, uri(grpc_path::TRACES)?];
        let mut builder = Client::builder(TokioExecutor::new());
        builder.http2_only(true).timer(TokioTimer::new()).pool_timer(TokioTimer::new());
        if let Some(keepalive) = &self.keepalive {
            builder
                .http2_keep_alive_interval(keepalive.time.0)
                .http2_keep_alive_timeout(keepalive.timeout.0)
                .http2_keep_alive_while_idle(keepalive.permit_without_stream);
        }
        let mut headers = self.headers;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        if let Some(name) = self.encoding {
            headers.insert("grpc-encoding", HeaderValue::from_static(name));
        }
        Ok(Box::new(OtlpGrpcExporter {
            line: Line::new(move || Ok(builder.build(connector.clone())))?,
            uris,
            headers,
            compressor: Compressor::new(self.compression),
            counters: ReplyCounters::new(&cx.telemetry, cx.id.as_str()),
        }))
    }
}

#[async_trait]
impl Exporter for OtlpGrpcExporter {
    async fn export(&self, request: &Request) -> Outcome {
        let message = match self.compressor.compress(request.bytes()).await {
            Ok(message) => message,
            Err(error) => return Outcome::Retry { after: None, reason: error.to_string() },
        };
        let Some(body) = frame(message, self.compressor.compression().wire_name().is_some()) else {
            return Outcome::Reject { reason: "the request is larger than a gRPC message can be (4 GiB)".into() };
        };
        match self.call(request.signal(), body).await {
            Ok(reply) => self.judge(reply, request),
            Err(NoReply::Transport(reason)) => Outcome::Retry { after: None, reason },
            Err(error @ NoReply::TooLong) => Outcome::Reject { reason: error.to_string() },
        }
    }
}

impl OtlpGrpcExporter {
    async fn call(&self, signal: Signal, body: Body) -> Result<Reply, NoReply> {
        let mut call = http::Request::new(body);
        *call.method_mut() = Method::POST;
        *call.version_mut() = http::Version::HTTP_2;
        *call.uri_mut() = self.uris[signal as usize].clone();
        *call.headers_mut() = self.headers.clone();
        let use_of_line = self.line.begin();
        let reply = match use_of_line.client().request(call).await {
            Ok(response) => reply::read(response).await,
            Err(error) => Err(NoReply::Transport(chain(&error))),
        };
        use_of_line.answered();
        reply
    }

    fn judge(&self, reply: Reply, request: &Request) -> Outcome {
        let retry_info = reply.details.retry_info();
        let reason = || match reply.message.as_str() {
            "" => format!("{:?}: {}", reply.code, reply.code),
            message => format!("{:?}: {message}", reply.code),
        };
        match reply.code {
            Code::Ok => self.counters.success(reply.response, request),
            Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss => Outcome::Retry { after: retry_info.and_then(|info| info.delay), reason: reason() },
            // Without RetryInfo the server says that more of the same will not help.
            Code::ResourceExhausted => match retry_info {
                Some(info) => Outcome::Retry { after: info.delay, reason: reason() },
                None => Outcome::Reject { reason: reason() },
            },
            // Said of us or of the address, not of what was sent.
            Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented | Code::NotFound => {
                Outcome::Refuse { reason: reason() }
            }
            _ => Outcome::Reject { reason: reason() },
        }
    }
}

/// Puts a message behind the head of a gRPC frame: a flag and four bytes of length. `None` over 4 GiB.
fn frame(message: Bytes, compressed: bool) -> Option<Body> {
    let mut head = BytesMut::with_capacity(5);
    head.put_u8(compressed.into());
    head.put_u32(u32::try_from(message.len()).ok()?);
    Some(Full::new(head.freeze().chain(message)))
}
