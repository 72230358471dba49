//! Requests that use what OTLP offers: every kind of value, metric and link.

use crate::support::request_sink::Requests;
use lanner_proto::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    metrics::v1 as m,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span},
};

/// 2026-01-01.
const START: u64 = 1_767_225_600_000_000_000;
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.37.0";

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn text(text: impl Into<String>) -> AnyValue {
    any(Value::StringValue(text.into()))
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.into(), value: Some(value), ..Default::default() }
}

/// One attribute of every kind; `index` makes them unique.
fn attributes(index: usize) -> Vec<KeyValue> {
    let list = ArrayValue { values: vec![text("a"), any(Value::IntValue(-1)), any(Value::BoolValue(false))] };
    let map = KeyValueList { values: vec![pair("inner", text("ü\u{1F985}\n\0")), pair("n", any(Value::IntValue(0)))] };
    vec![
        pair("rule", text(format!("Terminal shell {index}"))),
        pair("evt.time", any(Value::IntValue(1_767_225_600_123_456_789))),
        pair("lowest", any(Value::IntValue(i64::MIN))),
        pair("share", any(Value::DoubleValue(0.1))),
        pair("yes", any(Value::BoolValue(true))),
        pair("raw", any(Value::BytesValue(vec![0, 0xff, 0x80]))),
        pair("list", any(Value::ArrayValue(list))),
        pair("map", any(Value::KvlistValue(map))),
        pair("nothing", AnyValue { value: None }),
        pair("empty", text("")),
        pair("", text("a key without a name")),
    ]
}

fn resource() -> Option<Resource> {
    let attributes = vec![pair("service.name", text("falco")), pair("k8s.node.name", text("node-1"))];
    Some(Resource { attributes, dropped_attributes_count: 1, ..Default::default() })
}

fn scope() -> Option<InstrumentationScope> {
    let attributes = vec![pair("kind", text("syscall"))];
    Some(InstrumentationScope {
        name: "falco".into(),
        version: "0.43.0".into(),
        attributes,
        dropped_attributes_count: 2,
    })
}

fn trace_id(index: usize) -> Vec<u8> {
    [&[7; 8][..], &(index as u64 + 1).to_be_bytes()].concat()
}

fn span_id(index: usize) -> Vec<u8> {
    (index as u64 + 1).to_be_bytes().to_vec()
}

fn record(index: usize) -> LogRecord {
    LogRecord {
        time_unix_nano: START + index as u64,
        observed_time_unix_nano: START + 1000 + index as u64,
        severity_number: 1 + (index % 24) as i32,
        severity_text: "Warning".into(),
        body: Some(if index.is_multiple_of(2) {
            text(format!("alert {index}"))
        } else {
            any(Value::IntValue(index as i64))
        }),
        attributes: attributes(index),
        dropped_attributes_count: 3,
        flags: 1,
        trace_id: trace_id(index),
        span_id: span_id(index),
        event_name: "falco.alert".into(),
    }
}

fn exemplar(index: usize) -> m::Exemplar {
    m::Exemplar {
        filtered_attributes: vec![pair("rule", text("r"))],
        time_unix_nano: START,
        span_id: span_id(index),
        trace_id: trace_id(index),
        value: Some(m::exemplar::Value::AsInt(i64::MAX)),
    }
}

fn number(index: usize) -> m::NumberDataPoint {
    m::NumberDataPoint {
        attributes: attributes(index),
        start_time_unix_nano: START,
        time_unix_nano: START + index as u64,
        exemplars: vec![exemplar(index)],
        flags: 0,
        value: Some(m::number_data_point::Value::AsInt(9_007_199_254_740_993)),
    }
}

/// A metric of one of the five kinds.
fn metric(index: usize) -> m::Metric {
    let temporality = m::AggregationTemporality::Cumulative as i32;
    let buckets = |offset| m::exponential_histogram_data_point::Buckets { offset, bucket_counts: vec![1, 0, 300] };
    let data = match index % 5 {
        0 => m::metric::Data::Gauge(m::Gauge { data_points: vec![number(index), number(index + 1)] }),
        1 => m::metric::Data::Sum(m::Sum {
            data_points: vec![m::NumberDataPoint {
                value: Some(m::number_data_point::Value::AsDouble(-2.5)),
                ..number(index)
            }],
            aggregation_temporality: temporality,
            is_monotonic: true,
        }),
        2 => m::metric::Data::Histogram(m::Histogram {
            data_points: vec![m::HistogramDataPoint {
                attributes: attributes(index),
                start_time_unix_nano: START,
                time_unix_nano: START + 1,
                count: 6,
                sum: Some(12.5),
                bucket_counts: vec![1, 2, 3],
                explicit_bounds: vec![0.5, 5.0],
                exemplars: vec![exemplar(index)],
                flags: 0,
                min: Some(0.0),
                max: Some(8.25),
            }],
            aggregation_temporality: temporality,
        }),
        3 => m::metric::Data::ExponentialHistogram(m::ExponentialHistogram {
            data_points: vec![m::ExponentialHistogramDataPoint {
                attributes: attributes(index),
                start_time_unix_nano: START,
                time_unix_nano: START + 1,
                count: 603,
                sum: Some(-1.0),
                scale: -2,
                zero_count: 1,
                positive: Some(buckets(-3)),
                negative: Some(buckets(4)),
                flags: 0,
                exemplars: vec![exemplar(index)],
                min: Some(-9.0),
                max: Some(9.0),
                zero_threshold: 0.001,
            }],
            aggregation_temporality: temporality,
        }),
        _ => m::metric::Data::Summary(m::Summary {
            data_points: vec![m::SummaryDataPoint {
                attributes: attributes(index),
                start_time_unix_nano: START,
                time_unix_nano: START + 1,
                count: 2,
                sum: 3.0,
                quantile_values: vec![m::summary_data_point::ValueAtQuantile { quantile: 0.99, value: 2.0 }],
                flags: 0,
            }],
        }),
    };
    m::Metric {
        name: format!("alerts.{index}"),
        description: "Alerts.".into(),
        unit: "{alert}".into(),
        metadata: vec![pair("origin", text("falco"))],
        data: Some(data),
    }
}

fn span(index: usize) -> Span {
    Span {
        trace_id: trace_id(index),
        span_id: span_id(index),
        trace_state: "vendor=1".into(),
        parent_span_id: span_id(index + 1),
        flags: 0x101,
        name: format!("incident {index}"),
        kind: 1 + (index % 5) as i32,
        start_time_unix_nano: START,
        end_time_unix_nano: START + 5_000_000,
        attributes: attributes(index),
        dropped_attributes_count: 1,
        events: vec![span::Event {
            time_unix_nano: START + 1,
            name: "alert".into(),
            attributes: attributes(index),
            dropped_attributes_count: 4,
        }],
        dropped_events_count: 2,
        links: vec![span::Link {
            trace_id: trace_id(index + 7),
            span_id: span_id(index + 7),
            trace_state: "a=b".into(),
            attributes: attributes(index),
            dropped_attributes_count: 5,
            flags: 1,
        }],
        dropped_links_count: 3,
        status: Some(Status { message: "contained".into(), code: 2 }),
    }
}

/// One request of each signal with `count` items, numbered from `from`.
pub fn numbered(from: usize, count: usize) -> Requests {
    let range = from..from + count;
    let logs =
        ScopeLogs { scope: scope(), log_records: range.clone().map(record).collect(), schema_url: SCHEMA.into() };
    let metrics =
        m::ScopeMetrics { scope: scope(), metrics: range.clone().map(metric).collect(), schema_url: SCHEMA.into() };
    let spans = ScopeSpans { scope: scope(), spans: range.map(span).collect(), schema_url: SCHEMA.into() };
    Requests {
        logs: vec![ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: resource(),
                scope_logs: vec![logs],
                schema_url: SCHEMA.into(),
            }],
        }],
        metrics: vec![ExportMetricsServiceRequest {
            resource_metrics: vec![m::ResourceMetrics {
                resource: resource(),
                scope_metrics: vec![metrics],
                schema_url: SCHEMA.into(),
            }],
        }],
        traces: vec![ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: resource(),
                scope_spans: vec![spans],
                schema_url: SCHEMA.into(),
            }],
        }],
    }
}
