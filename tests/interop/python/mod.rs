//! The OpenTelemetry SDK for Python as the client of the `otlp` receiver; `run.sh` installs it.

use crate::{
    canonical::Items,
    support::{lanner::Lanner, request_sink::RequestSink, wait},
};
use lanner_proto::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value};
use std::{path::Path, process::Command, time::Instant};

const COUNT: usize = 700;

fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(text.into())) }
}

/// What `send.py` gives to spans and data points, by name; log records have two more.
fn expected(of_log: bool) -> Vec<(String, Value)> {
    let mut pairs = vec![
        ("evt.time", Value::IntValue(1_767_225_600_123_456_789)),
        ("rule", text("Terminal shell in container").value.unwrap()),
        ("share", Value::DoubleValue(0.1)),
        ("tags", Value::ArrayValue(ArrayValue { values: vec![text("a"), text("ü")] })),
        ("yes", Value::BoolValue(true)),
    ];
    if of_log {
        let inner = KeyValue { key: "inner".into(), value: Some(text("x")), ..Default::default() };
        pairs.insert(1, ("map", Value::KvlistValue(KeyValueList { values: vec![inner] })));
        pairs.insert(2, ("raw", Value::BytesValue(vec![0, 0xff, 0x80])));
    }
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn sorted(attributes: &[KeyValue]) -> Vec<(String, Value)> {
    let value = |pair: &KeyValue| pair.value.clone().unwrap().value.unwrap();
    let mut pairs: Vec<_> = attributes.iter().map(|pair| (pair.key.clone(), value(pair))).collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
}

fn send(protocol: &str, compression: &str) {
    let python = std::env::var_os("PYTHON").expect("PYTHON is set by tests/interop/python/run.sh");
    let sink = RequestSink::start();
    let (grpc, http) = (wait::free_port(), wait::free_port());
    let lanner = Lanner::start(&format!(
        "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: 'localhost:{grpc}'}}, http: {{endpoint: 'localhost:{http}'}}}}}}}}
exporters: {{otlp_grpc: {{endpoint: 'localhost:{}', tls: {{insecure: true}}}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    logs: {{receivers: [otlp], exporters: [otlp_grpc]}}
    metrics: {{receivers: [otlp], exporters: [otlp_grpc]}}
    traces: {{receivers: [otlp], exporters: [otlp_grpc]}}
",
        sink.port()
    ));
    let port = if protocol == "grpc" { grpc } else { http };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/python/send.py");
    let started = Instant::now();
    let output = Command::new(python)
        .arg(script)
        .args([protocol, &port.to_string(), compression, &COUNT.to_string()])
        .output()
        .unwrap();
    // The SDK reports what it could not send there, and exits with success all the same.
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && complaints.is_empty(), "{protocol} {compression}: {complaints}");
    let sent = [COUNT, 2, COUNT];
    let all = sink.wait_until("everything of the SDK", |all| Items::of(all).total() >= sent.iter().sum());
    let took = started.elapsed();
    lanner.stop();
    assert_eq!(Items::of(&sink.requests()).counts(), sent, "{protocol} {compression}");
    for group in all.logs.iter().flat_map(|request| &request.resource_logs) {
        let service = sorted(&group.resource.as_ref().unwrap().attributes);
        assert!(service.contains(&("service.name".into(), text("sdk").value.unwrap())), "{service:?}");
        for record in group.scope_logs.iter().flat_map(|scope| &scope.log_records) {
            assert_eq!(sorted(&record.attributes), expected(true), "{protocol} {compression}");
            let index = record.time_unix_nano - 1_767_225_600_000_000_000;
            assert_eq!(record.body, Some(text(&format!("alert {index}"))), "{protocol} {compression}");
            assert_eq!((record.severity_number, record.event_name.as_str()), (13, "falco.alert"));
        }
    }
    for span in all.traces.iter().flat_map(|request| &request.resource_spans).flat_map(|group| &group.scope_spans) {
        for span in &span.spans {
            assert_eq!(sorted(&span.attributes), expected(false), "{protocol} {compression}");
            assert_eq!(sorted(&span.events[0].attributes), expected(false), "{protocol} {compression}");
            assert_eq!((span.trace_id.len(), span.span_id.len(), span.kind), (16, 8, 1));
        }
    }
    println!("{protocol:>5} {compression:>5}: {COUNT} log records, 2 metrics, {COUNT} spans equal, {took:.0?}");
}

/// Scenario: O1: a Python program sends logs, metrics and spans with the OpenTelemetry SDK over gRPC, HTTP with protobuf and
/// HTTP with JSON, plain and compressed.
/// Guarantee: the SDK has nothing to complain about; everything arrives once, with the attributes that the program gave.
#[test]
fn the_python_sdk_is_understood() {
    for protocol in ["grpc", "http", "json"] {
        for compression in ["none", "gzip"] {
            send(protocol, compression);
        }
        if protocol != "grpc" {
            send(protocol, "deflate");
        }
    }
}
