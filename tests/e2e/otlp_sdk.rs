//! OpenTelemetry's own SDK for Rust as the client of the `otlp` receiver.

use crate::support::{
    lanner::Lanner,
    request_sink::{RequestSink, Requests},
    wait,
};
use lanner_proto::common::v1::{AnyValue, KeyValue as Attribute, any_value::Value};
use opentelemetry::{
    Array, KeyValue, Value as SdkValue,
    logs::{AnyValue as LogValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity},
    metrics::MeterProvider as _,
    trace::{Span as _, SpanKind, Status, Tracer as _, TracerProvider as _},
};
use opentelemetry_otlp::{
    Compression, LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::{Resource, logs::SdkLoggerProvider, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use std::time::Duration;

const COUNT: usize = 600;
/// Longer than the SDK takes to send everything; by itself it gives up after five seconds.
const LONG: Duration = Duration::from_secs(60);

/// How the SDK sends.
#[derive(Clone, Copy, Debug)]
enum Way {
    Grpc,
    Http(Protocol, Option<Compression>),
}

macro_rules! exporter {
    ($exporter:ident, $way:expr, $path:literal, $grpc:expr, $http:expr, $client:expr) => {
        match $way {
            Way::Grpc => {
                let endpoint = format!("http://localhost:{}", $grpc);
                $exporter::builder().with_tonic().with_compression(Compression::Gzip).with_endpoint(endpoint).build()
            }
            Way::Http(protocol, compression) => {
                let endpoint = format!("http://localhost:{}{}", $http, $path);
                let builder = $exporter::builder().with_http().with_http_client($client.clone());
                let builder = builder.with_protocol(protocol).with_endpoint(endpoint);
                match compression {
                    Some(compression) => builder.with_compression(compression).build(),
                    None => builder.build(),
                }
            }
        }
        .unwrap()
    };
}

/// Attributes of every kind that the SDK has for spans and metrics.
fn attributes() -> Vec<KeyValue> {
    vec![
        KeyValue::new("rule", "Terminal shell in container"),
        KeyValue::new("evt.time", 1_767_225_600_123_456_789_i64),
        KeyValue::new("share", 0.1),
        KeyValue::new("yes", true),
        KeyValue::new("tags", SdkValue::Array(Array::String(vec!["a".into(), "ü".into()]))),
    ]
}

/// The same as they arrive, by name.
fn expected() -> Vec<(&'static str, Value)> {
    let text = |text: &str| Value::StringValue(text.into());
    let tags = ["a", "ü"].map(|tag| AnyValue { value: Some(text(tag)) });
    vec![
        ("evt.time", Value::IntValue(1_767_225_600_123_456_789)),
        ("rule", text("Terminal shell in container")),
        ("share", Value::DoubleValue(0.1)),
        ("tags", Value::ArrayValue(lanner_proto::common::v1::ArrayValue { values: tags.into() })),
        ("yes", Value::BoolValue(true)),
    ]
}

fn sorted(attributes: &[Attribute]) -> Vec<(&str, Value)> {
    let pair = |attribute: &Attribute| attribute.value.clone().unwrap().value.unwrap();
    let mut pairs: Vec<_> = attributes.iter().map(|attribute| (attribute.key.as_str(), pair(attribute))).collect();
    pairs.sort_by_key(|(key, _)| *key);
    pairs
}

/// Makes the three providers, uses them, and shuts them down, which sends everything.
fn send(way: Way, grpc: u16, http: u16) {
    // The process-wide provider may be installed by another test already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let entered = runtime.enter();
    let resource = Resource::builder_empty().with_attribute(KeyValue::new("service.name", "sdk")).build();
    let logs = SdkLoggerProvider::builder()
        .with_resource(resource.clone())
        .with_batch_exporter(exporter!(LogExporter, way, "/v1/logs", grpc, http, client))
        .build();
    let metrics = SdkMeterProvider::builder()
        .with_resource(resource.clone())
        .with_periodic_exporter(exporter!(MetricExporter, way, "/v1/metrics", grpc, http, client))
        .build();
    let traces = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_batch_exporter(exporter!(SpanExporter, way, "/v1/traces", grpc, http, client))
        .build();
    drop(entered);
    let logger = logs.logger("scope");
    for index in 0..COUNT {
        let mut record = logger.create_log_record();
        record.set_event_name("falco.alert");
        record.set_severity_number(Severity::Warn);
        record.set_body(LogValue::from(format!("alert {index}")));
        for pair in attributes() {
            let value = match pair.value {
                SdkValue::Bool(flag) => LogValue::Boolean(flag),
                SdkValue::I64(number) => LogValue::Int(number),
                SdkValue::F64(number) => LogValue::Double(number),
                SdkValue::String(text) => LogValue::String(text),
                SdkValue::Array(_) => ["a", "ü"].into_iter().collect(),
                other => panic!("{other:?}"),
            };
            record.add_attribute(pair.key, value);
        }
        logger.emit(record);
    }
    let meter = metrics.meter("scope");
    meter.u64_counter("alerts").build().add(7, &attributes());
    meter.f64_histogram("latency").build().record(0.25, &attributes());
    let tracer = traces.tracer("scope");
    for index in 0..COUNT {
        let mut span = tracer.span_builder(format!("incident {index}")).with_kind(SpanKind::Internal).start(&tracer);
        span.set_attributes(attributes());
        span.add_event("alert", attributes());
        span.set_status(Status::error("contained"));
        span.end();
    }
    logs.shutdown_with_timeout(LONG).unwrap();
    metrics.shutdown_with_timeout(LONG).unwrap();
    traces.shutdown_with_timeout(LONG).unwrap();
}

fn counts(requests: &Requests) -> [usize; 3] {
    let logs = requests.logs.iter().flat_map(|request| &request.resource_logs).flat_map(|group| &group.scope_logs);
    let metrics =
        requests.metrics.iter().flat_map(|request| &request.resource_metrics).flat_map(|group| &group.scope_metrics);
    let spans = requests.traces.iter().flat_map(|request| &request.resource_spans).flat_map(|group| &group.scope_spans);
    [
        logs.map(|scope| scope.log_records.len()).sum(),
        metrics.map(|scope| scope.metrics.len()).sum(),
        spans.map(|scope| scope.spans.len()).sum(),
    ]
}

fn check(requests: &Requests, way: Way) {
    assert_eq!(counts(requests), [COUNT, 2, COUNT], "{way:?}");
    let mut bodies = Vec::new();
    for group in requests.logs.iter().flat_map(|request| &request.resource_logs) {
        let service = sorted(&group.resource.as_ref().unwrap().attributes);
        assert_eq!(service, [("service.name", Value::StringValue("sdk".into()))], "{way:?}");
        for scope in &group.scope_logs {
            assert_eq!(scope.scope.as_ref().unwrap().name, "scope");
            for record in &scope.log_records {
                assert_eq!(sorted(&record.attributes), expected(), "{way:?}");
                assert_eq!((record.severity_number, record.event_name.as_str()), (13, "falco.alert"), "{way:?}");
                let Some(Value::StringValue(body)) = record.body.clone().unwrap().value else { panic!("{record:?}") };
                bodies.push(body);
            }
        }
    }
    // The SDK sends in order, and Lanner has several requests in flight.
    bodies.sort_by_key(|body| body.rsplit(' ').next().unwrap().parse::<usize>().unwrap());
    assert!(bodies.iter().enumerate().all(|(index, body)| *body == format!("alert {index}")), "{way:?}: {bodies:?}");
    for group in requests.traces.iter().flat_map(|request| &request.resource_spans) {
        for span in group.scope_spans.iter().flat_map(|scope| &scope.spans) {
            assert_eq!(sorted(&span.attributes), expected(), "{way:?}");
            assert_eq!(sorted(&span.events[0].attributes), expected(), "{way:?}");
            assert_eq!((span.trace_id.len(), span.span_id.len(), span.kind), (16, 8, 1), "{way:?}");
            assert_eq!(span.status.as_ref().unwrap().message, "contained", "{way:?}");
        }
    }
    use lanner_proto::metrics::v1::{metric::Data, number_data_point};
    let groups = requests.metrics.iter().flat_map(|request| &request.resource_metrics);
    for metric in groups.flat_map(|group| &group.scope_metrics).flat_map(|scope| &scope.metrics) {
        match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => {
                assert_eq!(sum.data_points[0].value, Some(number_data_point::Value::AsInt(7)), "{way:?}");
                assert_eq!(sorted(&sum.data_points[0].attributes), expected(), "{way:?}");
            }
            Data::Histogram(histogram) => {
                assert_eq!(histogram.data_points[0].sum, Some(0.25), "{way:?}");
                assert_eq!(sorted(&histogram.data_points[0].attributes), expected(), "{way:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Scenario: O1: a program that is instrumented with the OpenTelemetry SDK sends logs, metrics and traces over gRPC (gzip),
/// HTTP with protobuf (plain and gzip) and HTTP with JSON, and Lanner hands them on to an OTLP sink.
/// Guarantee: every record, metric and span arrives once, with the attributes that the program gave.
#[test]
fn the_opentelemetry_sdk_is_understood() {
    for way in [
        Way::Grpc,
        Way::Http(Protocol::HttpBinary, None),
        Way::Http(Protocol::HttpBinary, Some(Compression::Gzip)),
        Way::Http(Protocol::HttpJson, None),
    ] {
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
        send(way, grpc, http);
        sink.wait_until("everything of the SDK", |all| {
            counts(all).iter().zip([COUNT, 2, COUNT]).all(|(here, sent)| *here >= sent)
        });
        let ledger = lanner.stop();
        for (signal, items) in [("logs", COUNT), ("traces", COUNT), ("metrics", 2)] {
            let row = ledger.row(&format!("{signal} -> otlp_grpc"));
            assert_eq!((row.accepted, row.delivered), (items as u64, items as u64), "{way:?}: {}", row.text);
        }
        check(&sink.requests(), way);
    }
}
