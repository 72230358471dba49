//! `otlp_http` sends logs, metrics and traces as protobuf over HTTP/1.1 or HTTP/2.
//!
//! Promises: the request's bytes go out as they are; every status falls into exactly the class the OTLP
//! specification and the Collector give it; redirects are not followed and no proxy is used unless configured, so
//! that data goes nowhere but where the config says; at most [`REPLY_LIMIT`] of a reply is read.

mod config;
pub(crate) mod retry_after;
#[cfg(test)]
mod tests;

use crate::otlp_reply::{ExportResponse, ReplyCounters, RpcStatus, Unreadable};
use config::{Config, Plan};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use lanner_engine::{
    net::client::{Compressor, peer_text},
    prelude::*,
};
use prost::Message;
use reqwest::{Client, Response, Url, redirect::Policy};
use retry_after::retry_after;
use std::time::Duration;

/// The component type.
pub struct OtlpHttp;

/// What this exporter starts from: the Collector gives HTTP 30 s.
pub const DELIVERY: DeliveryDefaults = DeliveryDefaults { queue: true, timeout: Duration::from_secs(30) };

/// Longest reply that is read.
const REPLY_LIMIT: usize = 64 << 10;
/// Name lookup, TCP and TLS together.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// How long sent bytes may stay unacknowledged before the connection is given up (D12).
const SILENT_LIMIT: Duration = Duration::from_secs(30);
const PROTOBUF: &str = "application/x-protobuf";

impl Component for OtlpHttp {
    const TYPE: &'static str = "otlp_http";
    const ALIASES: &'static [&'static str] = &["otlphttp"];
    const STABILITY: Stability = Stability::Beta;
    const SIGNALS: Signals = Signals::ALL;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

struct OtlpHttpExporter {
    client: Client,
    urls: [Option<Url>; 3],
    compressor: Compressor,
    counters: ReplyCounters,
}

#[async_trait]
impl ExporterPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        let mut headers = self.headers;
        headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(PROTOBUF));
        if let Some(name) = self.compression.wire_name() {
            headers.insert(header::CONTENT_ENCODING, http::HeaderValue::from_static(name));
        }
        let mut builder = Client::builder()
            .default_headers(headers)
            .redirect(Policy::none())
            .no_proxy()
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_LIMIT)
            .tcp_user_timeout(SILENT_LIMIT)
            .tcp_nodelay(true);
        if let Some(mut tls) = self.tls.load()? {
            tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            builder = builder.tls_backend_preconfigured(tls);
        }
        if let Some(proxy) = self.proxy {
            builder = builder.proxy(proxy);
        }
        Ok(Box::new(OtlpHttpExporter {
            client: builder.build()?,
            urls: self.urls,
            compressor: Compressor::new(self.compression),
            counters: ReplyCounters::new(&cx.telemetry, cx.id.as_str()),
        }))
    }
}

#[async_trait]
impl Exporter for OtlpHttpExporter {
    async fn export(&self, request: &Request) -> Outcome {
        let Some(url) = &self.urls[request.signal() as usize] else {
            let signal = request.signal();
            return Outcome::Reject { reason: format!("no endpoint for {signal}; set endpoint or {signal}_endpoint") };
        };
        let body = match self.compressor.compress(request.bytes()).await {
            Ok(body) => body,
            Err(error) => return Outcome::Retry { after: None, reason: error.to_string() },
        };
        match self.client.post(url.clone()).body(body).send().await {
            Ok(response) => self.judge(response, request).await,
            // The URL is left out: its query may hold a token.
            Err(error) => Outcome::Retry { after: None, reason: error_chain(error.without_url()) },
        }
    }
}

impl OtlpHttpExporter {
    async fn judge(&self, response: Response, request: &Request) -> Outcome {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read(response).await;
        if status.is_success() {
            // A reply of another type says nothing about partial success.
            let response = match body {
                Ok(_) if !is_protobuf(&headers) => Ok(ExportResponse::default()),
                Ok(Body { cut: true, .. }) => Err(Unreadable::TooLong(REPLY_LIMIT)),
                Ok(body) => ExportResponse::decode(&body.bytes[..]).map_err(Unreadable::Protobuf),
                Err(error) => Err(Unreadable::Cut(error)),
            };
            return self.counters.success(response, request);
        }
        let reason = reason(status, &headers, &body.map(|body| body.bytes).unwrap_or_default());
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Outcome::Retry { after: retry_after(&headers, Timestamp::now()), reason }
            }
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Outcome::Retry { after: None, reason },
            _ => Outcome::Reject { reason },
        }
    }
}

/// The part of a reply that was read.
struct Body {
    bytes: Vec<u8>,
    /// There was more.
    cut: bool,
}

async fn read(mut response: Response) -> Result<Body, String> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(Body { bytes, cut: false }),
            Ok(Some(chunk)) => {
                let room = REPLY_LIMIT - bytes.len();
                bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    return Ok(Body { bytes, cut: true });
                }
            }
            Err(error) => return Err(error_chain(error.without_url())),
        }
    }
}

fn is_protobuf(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(PROTOBUF))
}

/// `HTTP 400 Bad Request: ` and what the server says about it.
fn reason(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    let told = match RpcStatus::decode(body) {
        Ok(rpc) if is_protobuf(headers) => peer_text(&rpc.message),
        _ if status.is_redirection() => {
            let location = headers.get(header::LOCATION).map(http::HeaderValue::as_bytes).unwrap_or_default();
            format!("redirects are not followed; to send there, set the endpoint to {}", peer_text(location))
        }
        _ => peer_text(body),
    };
    match told.as_str() {
        "" => format!("HTTP {status}"),
        told => format!("HTTP {status}: {told}"),
    }
}

fn error_chain(error: reqwest::Error) -> String {
    crate::otlp_reply::chain(&error)
}
