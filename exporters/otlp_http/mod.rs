//! `otlp_http` sends logs, metrics and traces as protobuf over HTTP/1.1 or HTTP/2.
//!
//! Promises: the request's bytes go out as they are; every status falls into exactly the class the OTLP
//! specification and the Collector give it; redirects are not followed and no proxy is used unless configured, so
//! that data goes nowhere but where the config says; at most [`REPLY_LIMIT`] of a reply is read.

mod config;
#[cfg(test)]
mod tests;

use crate::{
    http::{Client, End, REPLY_LIMIT, Reply, Veil, is_about_us},
    otlp_reply::{ExportResponse, ReplyCounters, RpcStatus, Unreadable},
};
use config::{Config, Plan};
use http::{HeaderMap, StatusCode, header};
use lanner_engine::{net::client::Compressor, prelude::*};
use prost::Message;
use reqwest::{Method, Url};
use std::time::Duration;

/// The component type.
pub struct OtlpHttp;

/// What this exporter starts from: the Collector gives HTTP 30 s.
pub const DELIVERY: DeliveryDefaults = DeliveryDefaults { queue: true, timeout: Duration::from_secs(30) };

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
    veil: Veil,
    counters: ReplyCounters,
}

#[async_trait]
impl ExporterPlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        let mut settings = self.settings;
        let headers = &mut settings.headers;
        headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(PROTOBUF));
        if let Some(name) = self.compression.wire_name() {
            headers.insert(header::CONTENT_ENCODING, http::HeaderValue::from_static(name));
        }
        Ok(Box::new(OtlpHttpExporter {
            // The engine's time limit is the Collector's `timeout`.
            client: Client::new(settings, None)?,
            urls: self.urls,
            compressor: Compressor::new(self.compression),
            veil: self.veil,
            counters: ReplyCounters::new(&cx.telemetry, cx.id.as_str()),
        }))
    }
}

#[async_trait]
impl Exporter for OtlpHttpExporter {
    async fn export(&self, request: &Request) -> Outcome {
        let Some(url) = &self.urls[request.signal() as usize] else {
            let signal = request.signal();
            return Outcome::Refuse { reason: format!("no endpoint for {signal}; set endpoint or {signal}_endpoint") };
        };
        let body = match self.compressor.compress(request.bytes()).await {
            Ok(body) => body,
            Err(error) => return Outcome::Retry { after: None, reason: error.to_string() },
        };
        match self.client.send(&Method::POST, url, HeaderMap::new(), body, REPLY_LIMIT).await {
            Ok(reply) => self.judge(reply, request),
            Err(unanswered) => Outcome::Retry { after: None, reason: unanswered.to_string() },
        }
    }
}

impl OtlpHttpExporter {
    fn judge(&self, reply: Reply, request: &Request) -> Outcome {
        if reply.status.is_success() {
            // A reply of another type says nothing about partial success.
            let response = match reply.end {
                End::Cut(error) => Err(Unreadable::Cut(error)),
                _ if !is_protobuf(&reply.headers) => Ok(ExportResponse::default()),
                End::TooLong => Err(Unreadable::TooLong(REPLY_LIMIT)),
                End::Whole => ExportResponse::decode(&reply.body[..]).map_err(Unreadable::Protobuf),
            };
            return self.counters.success(response, request);
        }
        let reason = match RpcStatus::decode(&reply.body[..]) {
            Ok(rpc) if is_protobuf(&reply.headers) => reply.reason_with(&self.veil.peer_text(&rpc.message)),
            _ => reply.reason(&self.veil),
        };
        match reply.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Outcome::Retry { after: reply.retry_after(), reason }
            }
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Outcome::Retry { after: None, reason },
            status if is_about_us(status) => Outcome::Refuse { reason },
            _ => Outcome::Reject { reason },
        }
    }
}

fn is_protobuf(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(PROTOBUF))
}
