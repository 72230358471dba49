use lanner_engine::{event::OtlpRequest, prelude::*};
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
use prost::Message;

/// A request with `count` alerts.
pub fn logs(count: usize) -> Request {
    let record = |index: usize| ProtoRecord {
        time_unix_nano: 1_700_000_000_000_000_000 + index as u64,
        severity_number: 13,
        severity_text: "Warning".into(),
        event_name: "falco.alert".into(),
        body: Some(text(&format!("shell in container {index}"))),
        attributes: vec![KeyValue {
            key: "security_rule.name".into(),
            value: Some(text("Terminal shell in container")),
            ..Default::default()
        }],
        trace_id: vec![0xab; 16],
        ..Default::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: (0..count).map(record).collect(), ..Default::default() }];
    let message = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] };
    request(Signal::Logs, count, &message)
}

/// A request with one gauge point.
pub fn metrics() -> Request {
    let point = NumberDataPoint {
        time_unix_nano: 7,
        value: Some(number_data_point::Value::AsInt(9_007_199_254_740_993)),
        ..Default::default()
    };
    let metric = Metric {
        name: "falco.alerts".into(),
        unit: "{alert}".into(),
        data: Some(metric::Data::Gauge(Gauge { data_points: vec![point] })),
        ..Default::default()
    };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..Default::default() }];
    let message =
        ExportMetricsServiceRequest { resource_metrics: vec![ResourceMetrics { scope_metrics, ..Default::default() }] };
    request(Signal::Metrics, 1, &message)
}

/// A request with one span.
pub fn traces() -> Request {
    let span = Span {
        name: "incident".into(),
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        start_time_unix_nano: 5,
        end_time_unix_nano: 1_000_005,
        kind: 1,
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..Default::default() }];
    let message =
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] };
    request(Signal::Traces, 1, &message)
}

fn request(signal: Signal, items: usize, message: &impl Message) -> Request {
    Request::new(OtlpRequest { signal, bytes: message.encode_to_vec().into(), items })
}

fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(text.into())) }
}
