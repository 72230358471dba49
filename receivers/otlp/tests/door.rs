//! `Door`: a running receiver with a capture behind it, and requests of the three signals.

use super::*;
use crate::otlp::config::{GrpcConfig, HttpConfig, Protocols};
use lanner_engine::{config::ListenAddress, telemetry::Telemetry, testing::Capture};
use lanner_proto::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, KeyValue, any_value},
    logs::v1::{LogRecord as ProtoRecord, ResourceLogs, ScopeLogs},
    metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use std::{net::SocketAddr, time::Duration};
use tokio::{task::JoinHandle, time::timeout};

pub const SOON: Duration = Duration::from_secs(20);

pub struct Door {
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    pub capture: Capture,
    pub telemetry: Telemetry,
    pub drain: Drain,
    pub running: JoinHandle<Result<(), BoxError>>,
}

impl Door {
    /// Both protocols on free ports, for every signal.
    pub async fn open() -> Self {
        Self::configured(GrpcConfig::default(), HttpConfig::default(), Signals::ALL)
    }

    /// Both protocols on free ports, with pipelines for `connected`.
    pub fn configured(grpc: GrpcConfig, http: HttpConfig, connected: Signals) -> Self {
        let grpc = GrpcConfig { endpoint: ListenAddress::localhost(0), ..grpc };
        let http = HttpConfig { endpoint: ListenAddress::localhost(0), ..http };
        let (capture, telemetry, drain) = (Capture::connected(connected), Telemetry::default(), Drain::new());
        let cx = BuildCx::new(Kind::Receiver, "otlp".parse().unwrap(), telemetry.clone(), Default::default());
        let plan = Plan { protocols: Protocols { grpc: Some(grpc), http: Some(http) } };
        let receiver = plan.open(&cx).unwrap();
        let grpc = receiver.grpc.as_ref().unwrap().0.local_addr().unwrap();
        let http = receiver.http.as_ref().unwrap().0.local_addr().unwrap();
        let running = tokio::spawn(Box::new(receiver).run(capture.consumer(), drain.clone()));
        Self { grpc, http, capture, telemetry, drain, running }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    /// A client of the gRPC port.
    pub async fn channel(&self) -> tonic::transport::Channel {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", self.grpc)).unwrap();
        timeout(SOON, endpoint.connect()).await.expect("a connection in time").unwrap()
    }

    /// The requests that were taken, as bytes.
    pub fn taken(&self) -> Vec<(Signal, bytes::Bytes, usize)> {
        let taken = self.capture.batches();
        taken.iter().map(|batch| batch.to_otlp()).map(|otlp| (otlp.signal, otlp.bytes, otlp.items)).collect()
    }

    /// Requests that were counted as not taken, for this reason.
    pub fn lost(&self, reason: &str) -> i64 {
        let metrics = self.telemetry.snapshot();
        let of_name = metrics.iter().filter(|found| found.name == "lanner_receiver_lost_requests");
        let series = of_name.flat_map(|found| &found.series);
        series.filter(|(labels, _)| labels.iter().any(|(_, value)| value == reason)).map(|(_, value)| value).sum()
    }

    /// Stops the receiver.
    pub async fn close(self) {
        self.drain.request();
        timeout(SOON, self.running).await.expect("ends on drain").unwrap().unwrap();
    }
}

pub fn client() -> reqwest::Client {
    // The process-wide provider may be installed by another test already.
    let _ = rustls_provider();
    reqwest::Client::builder().no_proxy().timeout(SOON).build().unwrap()
}

fn rustls_provider() -> bool {
    rustls::crypto::ring::default_provider().install_default().is_ok()
}

fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(text.into())) }
}

/// `count` records.
pub fn logs(count: usize) -> ExportLogsServiceRequest {
    let record = |index: usize| ProtoRecord {
        time_unix_nano: 1_700_000_000_000_000_000 + index as u64,
        severity_number: 13,
        body: Some(text(&format!("shell in container {index}"))),
        attributes: vec![KeyValue { key: "rule".into(), value: Some(text("Terminal shell")), ..Default::default() }],
        trace_id: vec![0xab; 16],
        ..Default::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: (0..count).map(record).collect(), ..Default::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] }
}

/// Two points of one gauge.
pub fn metrics() -> ExportMetricsServiceRequest {
    let point = |value| NumberDataPoint {
        time_unix_nano: 7,
        value: Some(number_data_point::Value::AsInt(value)),
        ..Default::default()
    };
    let metric = Metric {
        name: "alerts".into(),
        data: Some(metric::Data::Gauge(Gauge { data_points: vec![point(1), point(9_007_199_254_740_993)] })),
        ..Default::default()
    };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..Default::default() }];
    ExportMetricsServiceRequest { resource_metrics: vec![ResourceMetrics { scope_metrics, ..Default::default() }] }
}

/// One span.
pub fn traces() -> ExportTraceServiceRequest {
    let span =
        Span { name: "incident".into(), trace_id: vec![1; 16], span_id: vec![2; 8], kind: 1, ..Default::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..Default::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] }
}
