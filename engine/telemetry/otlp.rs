//! The senders of Lanner's own telemetry: `opentelemetry-otlp` over gRPC or HTTP.
//!
//! The SDK's batch threads have no runtime, so both transports do their work on the runtime that was there when
//! they were made.

use super::config::{OtlpPlan, OtlpProtocol};
use crate::component::BoxError;
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, uri::Scheme};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use std::{collections::HashMap, time::Duration};
use tokio::runtime::Handle;
use tonic::{
    metadata::MetadataMap,
    transport::{Channel, ClientTlsConfig, Endpoint},
};

/// Time limit of one attempt.
const TIMEOUT: Duration = Duration::from_secs(5);
/// An answer to an export has a few bytes.
const ANSWER: usize = 64 << 10;

/// The three exporters differ in their type and path only, but share no trait.
macro_rules! build {
    ($exporter:ident, $plan:expr, $path:literal) => {
        match $plan.protocol {
            OtlpProtocol::Grpc => $exporter::builder()
                .with_tonic()
                .with_channel(channel($plan)?)
                .with_metadata(MetadataMap::from_headers($plan.headers.clone()))
                .with_timeout(TIMEOUT)
                .build(),
            OtlpProtocol::HttpProtobuf => $exporter::builder()
                .with_http()
                .with_http_client(PlainHttp::new())
                .with_endpoint(url($plan, $path))
                .with_protocol(Protocol::HttpBinary)
                .with_headers(headers($plan))
                .with_timeout(TIMEOUT)
                .build(),
        }
    };
}

/// A sender of metrics. Must be called inside a tokio runtime.
///
/// # Errors
/// TLS cannot be set up.
pub fn metrics(plan: &OtlpPlan) -> Result<MetricExporter, BoxError> {
    Ok(build!(MetricExporter, plan, "/v1/metrics")?)
}

/// A sender of log records.
///
/// # Errors
/// As [`metrics`].
pub fn logs(plan: &OtlpPlan) -> Result<LogExporter, BoxError> {
    Ok(build!(LogExporter, plan, "/v1/logs")?)
}

/// A sender of spans.
///
/// # Errors
/// As [`metrics`].
pub fn spans(plan: &OtlpPlan) -> Result<SpanExporter, BoxError> {
    Ok(build!(SpanExporter, plan, "/v1/traces")?)
}

/// Connects at the first export, and again after a loss.
fn channel(plan: &OtlpPlan) -> Result<Channel, BoxError> {
    let mut endpoint = Endpoint::from(plan.endpoint.clone()).connect_timeout(TIMEOUT).timeout(TIMEOUT);
    if plan.endpoint.scheme() == Some(&Scheme::HTTPS) {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        endpoint = endpoint.tls_config(ClientTlsConfig::new().trust_anchors(roots))?;
    }
    Ok(endpoint.connect_lazy())
}

/// The endpoint with the signal's path, unless one was written.
fn url(plan: &OtlpPlan, path: &str) -> String {
    match plan.endpoint.path() {
        "" | "/" => format!("{}{path}", plan.endpoint.to_string().trim_end_matches('/')),
        _ => plan.endpoint.to_string(),
    }
}

fn headers(plan: &OtlpPlan) -> HashMap<String, String> {
    let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    plan.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// HTTP without TLS.
#[derive(Debug)]
struct PlainHttp {
    runtime: Handle,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl PlainHttp {
    fn new() -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { runtime: Handle::current(), client }
    }
}

#[async_trait]
impl HttpClient for PlainHttp {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let exchange = async move {
            let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
            let body = Limited::new(body, ANSWER).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(head, body))
        };
        self.runtime.spawn(async { tokio::time::timeout(TIMEOUT, exchange).await }).await??
    }
}
