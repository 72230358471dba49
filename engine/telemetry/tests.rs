//! Scenarios of own telemetry: real sockets, a real OTLP/gRPC server and a real HTTP server.

use super::{config::OutputPath, *};
use crate::{
    component::Drain,
    config::{Level, ListenAddress, Node},
    net::{HttpServer, Limits},
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use lanner_proto::{
    collector::{
        logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse, logs_service_server as logs},
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse, metrics_service_server as metrics_rpc,
        },
        trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse, trace_service_server as traces},
    },
    common::v1::{KeyValue, any_value},
    grpc_path,
    metrics::v1::{metric::Data, number_data_point},
};
use parking_lot::Mutex;
use prost::Message as _;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Request, Response, Status, codegen::Service as _};

/// Plans a `service.telemetry`; panics with the findings when it has errors.
fn plan(yaml: &str) -> TelemetryPlan {
    let config: TelemetryConfig = serde_yaml::from_str(yaml).unwrap();
    let mut findings = Vec::new();
    config.check(&Node::default(), &mut findings, &mut Vec::new()).unwrap_or_else(|| panic!("{findings:?}"))
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Scenario: the metrics endpoint on a free port is scraped while a component counts.
/// Guarantee: cells appear under the Collector's names without `_total`, with metrics of the process and
/// `target_info`; after shutdown nothing listens.
#[tokio::test]
async fn own_metrics_are_scraped() {
    let telemetry = Telemetry::default();
    let plan = plan(
        "{metrics: {readers: [{pull: {exporter: {prometheus: {host: localhost, port: 0}}}}]}, logs: {output_paths: []}, \
         resource: {service.instance.id: abc, service.version: null, site: b1}}",
    );
    let (running, _) = Running::launch(&plan, &telemetry).unwrap();
    let labels = [("receiver", "falco_http")];
    telemetry.counter("otelcol_receiver_accepted_log_records", "Accepted.", "{record}", &labels).add(3);
    let address = running.addresses()[0];
    let answer = get(address, "/metrics").await;
    assert!(answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200"), "{answer}");
    for line in [
        "# TYPE otelcol_receiver_accepted_log_records counter",
        "otelcol_receiver_accepted_log_records{receiver=\"falco_http\"} 3",
        "target_info{service_instance_id=\"abc\",service_name=\"lanner\",site=\"b1\"} 1",
    ] {
        assert!(answer.lines().any(|found| found == line), "{line} is missing in\n{answer}");
    }
    for name in ["otelcol_process_cpu_seconds ", "otelcol_process_memory_rss ", "otelcol_process_uptime "] {
        assert!(answer.lines().any(|found| found.starts_with(name)), "{name} is missing in\n{answer}");
    }
    assert!(get(address, "/").await.contains("404"));
    running.shutdown().await;
    assert!(TcpStream::connect(address).await.is_err());
}

/// Scenario: `metrics.level: none`, and a port that is taken.
/// Guarantee: the first opens nothing; the second is an error that names the setting.
#[tokio::test]
async fn off_and_taken() {
    let off = plan("{metrics: {level: none}, logs: {output_paths: []}}");
    let (running, _) = Running::launch(&off, &Telemetry::default()).unwrap();
    assert!(running.addresses().is_empty());
    running.shutdown().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let yaml = format!("{{metrics: {{address: 'localhost:{port}'}}, logs: {{output_paths: []}}}}");
    let error = Running::launch(&plan(&yaml), &Telemetry::default()).err().unwrap().to_string();
    assert!(error.contains("service.telemetry.metrics") && error.contains(&port.to_string()), "{error}");
}

/// What arrived, and the `authorization` it came with.
#[derive(Clone, Default)]
struct Sink {
    metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
    logs: Arc<Mutex<Vec<ExportLogsServiceRequest>>>,
    traces: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    authorization: Arc<Mutex<Option<String>>>,
}

impl Sink {
    fn note<T>(&self, request: Request<T>, into: &Mutex<Vec<T>>) {
        let header = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        *self.authorization.lock() = header.map(str::to_owned);
        into.lock().push(request.into_inner());
    }

    /// Serves on a free port until the runtime ends.
    fn start(&self) -> SocketAddr {
        let limits = Limits { h2c: true, ..Limits::default() };
        let server = HttpServer::bind(&ListenAddress::localhost(0), None, limits).unwrap();
        let address = server.local_addr().unwrap();
        let sink = self.clone();
        let service = move |request: http::Request<hyper::body::Incoming>| {
            let sink = sink.clone();
            async move {
                let answer = match request.uri().path() {
                    grpc_path::METRICS => metrics_rpc::MetricsServiceServer::new(sink).call(request).await,
                    grpc_path::LOGS => logs::LogsServiceServer::new(sink).call(request).await,
                    grpc_path::TRACES => traces::TraceServiceServer::new(sink).call(request).await,
                    other => panic!("unexpected {other}"),
                };
                answer.unwrap()
            }
        };
        tokio::spawn(server.serve(service, Drain::new()));
        address
    }
}

#[tonic::async_trait]
impl metrics_rpc::MetricsService for Sink {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.note(request, &self.metrics);
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl logs::LogsService for Sink {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.note(request, &self.logs);
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl traces::TraceService for Sink {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.note(request, &self.traces);
        Ok(Response::new(Default::default()))
    }
}

/// Finds a counter's value in the newest request that has it.
fn counted(requests: &[ExportMetricsServiceRequest], name: &str) -> Option<i64> {
    let metrics = requests.iter().rev().flat_map(|request| &request.resource_metrics);
    let metric =
        metrics.flat_map(|one| &one.scope_metrics).flat_map(|one| &one.metrics).find(|one| one.name == name)?;
    match &metric.data {
        Some(Data::Sum(sum)) => match sum.data_points.first()?.value {
            Some(number_data_point::Value::AsInt(number)) => Some(number),
            _ => None,
        },
        _ => None,
    }
}

fn has(attributes: &[KeyValue], key: &str, value: &str) -> bool {
    let text = |pair: &KeyValue| {
        matches!(&pair.value.as_ref()?.value, Some(any_value::Value::StringValue(text)) if text == value).then_some(())
    };
    attributes.iter().any(|pair| pair.key == key && text(pair).is_some())
}

/// Scenario: metrics, log and traces go to a real OTLP/gRPC server; a component appears after the start.
/// Guarantee: shutdown flushes all three, with the resource and the headers of the configuration; libraries that
/// carry the telemetry are not in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_signals_over_grpc() {
    let sink = Sink::default();
    let otlp = format!(
        "{{otlp: {{protocol: grpc, endpoint: 'http://{}', headers: [{{name: authorization, value: secret}}]}}}}",
        sink.start()
    );
    let plan = plan(&format!(
        "{{metrics: {{readers: [{{periodic: {{interval: 1h, exporter: {otlp}}}}}]}}, \
         logs: {{output_paths: [], processors: [{{batch: {{exporter: {otlp}}}}}]}}, \
         traces: {{processors: [{{batch: {{exporter: {otlp}}}}}]}}}}"
    ));
    let telemetry = Telemetry::default();
    let (running, dispatch) = Running::launch(&plan, &telemetry).unwrap();
    telemetry.counter("otelcol_exporter_sent_log_records", "Sent.", "{record}", &[("exporter", "x")]).add(5);
    tracing::dispatcher::with_default(&dispatch, || {
        let _span = tracing::info_span!("export", exporter = "x").entered();
        tracing::info!(records = 5, "sent");
        tracing::warn!(target: "hyper::client", "not to be sent");
    });
    running.shutdown().await;

    assert_eq!(counted(&sink.metrics.lock(), "otelcol_exporter_sent_log_records"), Some(5));
    let log = sink.logs.lock().clone();
    let of_log = &log[0].resource_logs[0];
    assert!(has(&of_log.resource.as_ref().unwrap().attributes, "service.name", "lanner"));
    let records: Vec<_> =
        log.iter().flat_map(|request| &request.resource_logs).flat_map(|one| &one.scope_logs).collect();
    assert_eq!(records.iter().map(|one| one.log_records.len()).sum::<usize>(), 1);
    let spans = sink.traces.lock().clone();
    let span = &spans[0].resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(span.name, "export");
    assert!(has(&span.attributes, "exporter", "x"));
    assert_eq!(sink.authorization.lock().as_deref(), Some("secret"));
}

/// Scenario: metrics go out as `http/protobuf`.
/// Guarantee: they arrive at the signal's path as protobuf.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_over_http() {
    let server = HttpServer::bind(&ListenAddress::localhost(0), None, Limits::default()).unwrap();
    let address = server.local_addr().unwrap();
    let received = Arc::new(Mutex::new(Vec::new()));
    let (drain, into) = (Drain::new(), Arc::clone(&received));
    let service = move |request: http::Request<hyper::body::Incoming>| {
        let into = Arc::clone(&into);
        async move {
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            into.lock().push((path, ExportMetricsServiceRequest::decode(body).unwrap()));
            http::Response::new(Full::new(Bytes::new()))
        }
    };
    let task = tokio::spawn(server.serve(service, drain.clone()));
    let otlp = format!("{{otlp: {{protocol: http/protobuf, endpoint: '{address}', insecure: true}}}}");
    let plan =
        plan(&format!("{{metrics: {{readers: [{{periodic: {{exporter: {otlp}}}}}]}}, logs: {{output_paths: []}}}}"));
    let telemetry = Telemetry::default();
    telemetry.counter("otelcol_receiver_accepted_spans", "Accepted.", "{span}", &[]).add(2);
    let (running, _) = Running::launch(&plan, &telemetry).unwrap();
    running.shutdown().await;
    let (path, request) = received.lock().pop().unwrap();
    assert_eq!(path, "/v1/metrics");
    assert_eq!(counted(&[request], "otelcol_receiver_accepted_spans"), Some(2));
    drain.request();
    task.await.unwrap();
}

/// Scenario: nobody answers at the destinations.
/// Guarantee: shutdown ends within its bound all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_is_bounded() {
    // Takes connections and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let otlp = format!("{{otlp: {{endpoint: 'http://{}'}}}}", silent.local_addr().unwrap());
    let plan = plan(&format!(
        "{{metrics: {{readers: [{{periodic: {{exporter: {otlp}}}}}]}}, logs: {{output_paths: []}}, \
         traces: {{processors: [{{batch: {{exporter: {otlp}}}}}]}}}}"
    ));
    let (running, dispatch) = Running::launch(&plan, &Telemetry::default()).unwrap();
    tracing::dispatcher::with_default(&dispatch, || drop(tracing::info_span!("lost").entered()));
    let begin = std::time::Instant::now();
    running.shutdown().await;
    assert!(begin.elapsed() < FLUSH + Duration::from_secs(2), "{:?}", begin.elapsed());
}

/// Scenario: the log is written as text and as JSON; fields hold line breaks, terminal escapes and reserved names.
/// Guarantee: one event is one line; nothing in it can move a cursor, forge a line or replace the message.
#[tokio::test]
async fn hostile_values_stay_in_their_line() {
    let folder = std::env::temp_dir().join(format!("lanner-log-{}-{}", std::process::id(), fastrand::u64(..)));
    std::fs::create_dir_all(&folder).unwrap();
    for encoding in ["console", "json"] {
        let file = folder.join(encoding);
        let mut plan = plan(&format!(
            "{{metrics: {{level: none}}, logs: {{encoding: {encoding}, level: WARN, initial_fields: {{site: b1}}}}}}"
        ));
        plan.logs.outputs = vec![OutputPath::File(file.clone())];
        let (_running, dispatch) = Running::launch(&plan, &Telemetry::default()).unwrap();
        tracing::dispatcher::with_default(&dispatch, || {
            let _span = tracing::error_span!("component", id = "falco_http").entered();
            tracing::info!("below the level");
            tracing::warn!(rule = "a\n2026 error forged\u{1b}[2J\u{202e}", level = "x y", count = 7, "odd \u{7}input");
        });
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line = text.trim_end_matches('\n');
        assert!(!line.chars().any(char::is_control), "{line:?}");
        if encoding == "json" {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!((&value["msg"], &value["level"]), (&"odd \u{7}input".into(), &"warn".into()));
            assert_eq!((&value["field.level"], &value["count"]), (&"x y".into(), &7.into()));
            assert_eq!((&value["site"], &value["id"]), (&"b1".into(), &"falco_http".into()));
        } else {
            assert!(line.contains("odd \\u{7}input site=b1 id=falco_http"), "{line}");
            assert!(line.ends_with("level=\"x y\" count=7"), "{line}");
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Scenario: a section with every mistake the check can find, and one in the older spelling.
/// Guarantee: every mistake is reported in one run; the older spelling works, with a warning.
#[test]
fn mistakes_are_reported_together() {
    let yaml = "
logs: {output_paths: ['']}
metrics:
  readers:
    - {}
    - periodic: {interval: 10ms, exporter: {otlp: {endpoint: 'ftp://x'}}}
    - pull: {exporter: {prometheus: {host: example.org, port: 1}}}
traces:
  processors:
    - batch: {exporter: {otlp: {protocol: http/protobuf, endpoint: 'https://x', headers: [{name: 'a b', value: c}]}}}
";
    let config: TelemetryConfig = serde_yaml::from_str(yaml).unwrap();
    let mut findings = Vec::new();
    assert!(config.check(&Node::default(), &mut findings, &mut Vec::new()).is_none());
    let paths: Vec<&str> = findings.iter().map(|finding| finding.path.as_str()).collect();
    let expected = [
        "service::telemetry::logs::output_paths",
        "service::telemetry::traces::processors",
        "service::telemetry::traces::processors",
        "service::telemetry::metrics::readers",
        "service::telemetry::metrics::readers",
        "service::telemetry::metrics::readers",
        "service::telemetry::metrics::readers",
    ];
    assert_eq!(paths.len(), expected.len(), "{findings:?}");
    for (path, expected) in paths.iter().zip(expected) {
        assert!(path.starts_with(expected), "{path} is not in {expected}");
    }
    let old: TelemetryConfig = serde_yaml::from_str("{metrics: {address: 'localhost:9999'}}").unwrap();
    let mut findings = Vec::new();
    let plan = old.check(&Node::default(), &mut findings, &mut Vec::new()).unwrap();
    assert_eq!(plan.metrics.unwrap().pull.len(), 1);
    assert_eq!((findings.len(), findings[0].level), (1, Level::Warning));
    assert!(serde_yaml::from_str::<TelemetryConfig>("{metrics: {views: []}}").is_err());
}
