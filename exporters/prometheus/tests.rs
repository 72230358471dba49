//! Scenarios of `prometheus`: real OTLP in, real sockets out, and a real Prometheus that scrapes.

use super::*;
use crate::testing::port;
use lanner_engine::{
    component::Request,
    config::{Duration as Span, ListenAddress},
    event::OtlpRequest,
    telemetry::Telemetry,
};
use lanner_proto::{
    common::v1::{AnyValue, KeyValue, any_value},
    metrics::v1::{
        Gauge as OtelGauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
        metric::Data, number_data_point,
    },
    resource::v1::Resource,
};
use std::io::Write as _;

#[path = "../../tests/support/prometheus.rs"]
mod support;
use support::{PrometheusServer, available, get};

/// An exporter on a free port, its address and its telemetry.
struct Bench {
    exporter: Arc<Running>,
    address: SocketAddr,
    telemetry: Telemetry,
    drain: Drain,
    task: tokio::task::JoinHandle<()>,
}

impl Bench {
    async fn new(config: Config) -> Self {
        let config = Config { endpoint: ListenAddress::localhost(0), ..config };
        let plan = config.check(&mut |path, error| panic!("{path}: {error}")).unwrap();
        let telemetry = Telemetry::default();
        let cx = BuildCx::new(Kind::Exporter, "prometheus".parse().unwrap(), telemetry.clone(), Default::default());
        let exporter = Arc::new(Running::bind(plan, &cx).unwrap());
        let address = exporter.server.lock().as_ref().unwrap().local_addr().unwrap();
        let drain = Drain::new();
        let task = tokio::spawn({
            let (exporter, drain) = (Arc::clone(&exporter), drain.clone());
            async move { exporter.run(drain).await.unwrap() }
        });
        Self { exporter, address, telemetry, drain, task }
    }

    async fn export(&self, metrics: Vec<Metric>) -> Outcome {
        self.export_from("lanner", metrics).await
    }

    async fn export_from(&self, instance: &str, metrics: Vec<Metric>) -> Outcome {
        let attributes = vec![attr("service.name", "lanner"), attr("service.instance.id", instance)];
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(Resource { attributes, ..Default::default() }),
                scope_metrics: vec![ScopeMetrics { metrics, ..Default::default() }],
                ..Default::default()
            }],
        };
        let otlp = OtlpRequest { signal: Signal::Metrics, bytes: request.encode_to_vec().into(), items: 1 };
        self.exporter.export(&Request::new(otlp)).await
    }

    async fn scrape(&self) -> String {
        let (status, body) = get(self.address, "/metrics", "").await.unwrap();
        assert_eq!(status, 200);
        body
    }

    /// The lines of a scrape that are samples of `name`.
    async fn samples(&self, name: &str) -> Vec<String> {
        let page = self.scrape().await;
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        page.lines().filter(of_name).map(str::to_owned).collect()
    }

    fn own(&self, name: &str, label: &str) -> i64 {
        let metrics = self.telemetry.snapshot();
        let metric = metrics.iter().find(|metric| metric.name == name).unwrap();
        let fits = |labels: &[(&str, String)]| label.is_empty() || labels.iter().any(|(_, value)| value == label);
        metric.series.iter().filter(|(labels, _)| fits(labels)).map(|(_, value)| value).sum()
    }
}

fn attr(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value, ..Default::default() }
}

fn point(attributes: &[(&str, &str)], time: u64, value: i64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes.iter().map(|(key, value)| attr(key, value)).collect(),
        start_time_unix_nano: 1_700_000_000_000_000_000,
        time_unix_nano: time,
        value: Some(number_data_point::Value::AsInt(value)),
        ..Default::default()
    }
}

const CUMULATIVE: i32 = 2;
const DELTA: i32 = 1;

fn sum(name: &str, aggregation_temporality: i32, data_points: Vec<NumberDataPoint>) -> Metric {
    let data = Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true });
    Metric { name: name.into(), data: Some(data), ..Default::default() }
}

fn gauge(name: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    Metric { name: name.into(), data: Some(Data::Gauge(OtelGauge { data_points })), ..Default::default() }
}

/// Scenario: alerts as `event_metrics` sends them, scraped with the default configuration.
/// Guarantee: the series carry exactly the labels of the metric; who sent them stands on `target_info`.
#[tokio::test]
async fn series_have_only_their_own_labels() {
    let bench = Bench::new(Config::default()).await;
    let labels = [("security_rule.name", "shell"), ("falco.priority", "critical"), ("falco.source", "syscall")];
    assert_eq!(
        bench.export(vec![sum("falco.alerts", CUMULATIVE, vec![point(&labels, 1, 7)])]).await,
        Outcome::Delivered
    );
    let expected = "# TYPE falco_alerts_total counter\n\
        falco_alerts_total{falco_priority=\"critical\",falco_source=\"syscall\",security_rule_name=\"shell\"} 7\n\
        # HELP target_info Target metadata\n# TYPE target_info gauge\n\
        target_info{instance=\"lanner\",job=\"lanner\"} 1\n";
    assert_eq!(bench.scrape().await, expected);
    bench.drain.request();
    bench.task.await.unwrap();
}

/// Scenario: every key of the configuration is used.
/// Guarantee: names, labels, timestamps and the format follow it.
#[tokio::test]
async fn every_key_has_its_effect() {
    let bench = Bench::new(Config {
        namespace: "edge".into(),
        const_labels: [("site".to_owned(), "b1".to_owned())].into(),
        send_timestamps: true,
        resource_to_telemetry_conversion: ResourceLabels { enabled: true },
        enable_open_metrics: true,
        add_metric_suffixes: false,
        ..Config::default()
    })
    .await;
    bench.export(vec![gauge("last.seen", vec![point(&[], 1_700_000_000_500_000_000, 7)])]).await;
    let (_, page) = get(bench.address, "/metrics", "application/openmetrics-text").await.unwrap();
    let line = "edge_last_seen{service_instance_id=\"lanner\",service_name=\"lanner\",site=\"b1\"} 7 1700000000.500";
    assert!(page.lines().any(|found| found == line), "{page}");
    assert!(page.ends_with("# EOF\n"));
}

/// Scenario: points come twice, late, as delta, and with the mark that a series has ended.
/// Guarantee: the newest cumulative point stays, deltas add up, an ended series is gone; everything is counted.
#[tokio::test]
async fn points_in_time() {
    let bench = Bench::new(Config::default()).await;
    let a = |time, value| sum("a", CUMULATIVE, vec![point(&[], time, value)]);
    let d = |time, value| sum("d", DELTA, vec![point(&[], time, value)]);
    bench.export(vec![a(10, 5), d(10, 5)]).await;
    bench.export(vec![a(9, 4), d(10, 5)]).await;
    bench.export(vec![a(11, 6), d(11, 2)]).await;
    assert_eq!(bench.samples("a_total").await, ["a_total 6"]);
    assert_eq!(bench.samples("d_total").await, ["d_total 7"]);
    assert_eq!(bench.own("lanner_prometheus_points", "stored"), 4);
    assert_eq!(bench.own("lanner_prometheus_points", "out_of_order"), 2);
    let ended = NumberDataPoint { flags: 1, value: None, ..point(&[], 12, 0) };
    bench.export(vec![sum("a", CUMULATIVE, vec![ended])]).await;
    assert!(bench.samples("a_total").await.is_empty());
}

/// Scenario: a million distinct label values reach the exporter (X9), a limit of 2000 in place.
/// Guarantee: 2000 series (with `target_info`); what is over is rejected and counted; a scrape takes below 200 ms.
#[tokio::test]
async fn x9_series_are_bounded_and_scrapes_quick() {
    let many: usize = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let bench = Bench::new(Config { max_series: 2000, ..Config::default() }).await;
    let mut rejected = 0;
    for start in (0..many).step_by(5000) {
        let names: Vec<String> = (start..start + 5000).map(|number| format!("value number {number}")).collect();
        let points = names.iter().map(|name| point(&[("rule", name), ("priority", "critical")], 1, 1)).collect();
        if let Outcome::Partial { rejected: more, reason } = bench.export(vec![sum("a", CUMULATIVE, points)]).await {
            assert_eq!(reason, "series_limit");
            rejected += more;
        }
    }
    assert_eq!(bench.own("lanner_prometheus_points", "series_limit") as usize, rejected);
    assert_eq!(bench.own("lanner_prometheus_points", ""), many as i64);
    assert_eq!(bench.own("lanner_prometheus_series", ""), 2000);
    let begin = std::time::Instant::now();
    let page = bench.scrape().await;
    let took = begin.elapsed();
    println!("scrape of 2000 series: {took:?}, {} bytes", page.len());
    assert!(took < Duration::from_millis(200), "{took:?}");
    assert_eq!(page.lines().filter(|line| line.starts_with("a_total{")).count(), many - rejected);
}

/// Scenario: nobody scrapes and nothing comes for the expiration.
/// Guarantee: the series are forgotten all the same, and their room is free again.
#[tokio::test(start_paused = true)]
async fn series_expire_without_a_scrape() {
    let plan = Config { endpoint: ListenAddress::localhost(0), max_series: 2, ..Config::default() };
    let bench = Bench::new(plan).await;
    bench.export(vec![sum("a", CUMULATIVE, vec![point(&[("x", "1")], 1, 1)])]).await;
    assert_eq!(bench.own("lanner_prometheus_series", ""), 2, "with target_info");
    tokio::time::sleep(Duration::from_secs(299)).await;
    assert_eq!(bench.exporter.page.store.lock().len(), 2);
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(bench.exporter.page.store.lock().len(), 0);
    assert_eq!(bench.own("lanner_prometheus_expired_series", ""), 2);
    let again = bench.export(vec![sum("b", CUMULATIVE, vec![point(&[("x", "2")], 1, 1)])]).await;
    assert_eq!(again, Outcome::Delivered);
}

/// Scenario: two metrics want the same name with different types; two instances send the same series.
/// Guarantee: the page stays valid: the first type wins and the rest is counted, counts of instances are added.
#[tokio::test]
async fn collisions() {
    let bench = Bench::new(Config::default()).await;
    bench.export(vec![sum("a", CUMULATIVE, vec![point(&[], 1, 3)])]).await;
    for name in ["a.total", "a"] {
        let clash = bench.export(vec![gauge(name, vec![point(&[], 1, 1)])]).await;
        assert_eq!(clash, Outcome::Partial { rejected: 1, reason: "type_conflict".into() }, "{name}");
    }
    bench.export_from("other", vec![sum("a", CUMULATIVE, vec![point(&[], 1, 4)])]).await;
    assert_eq!(bench.samples("a_total").await, ["a_total 7"]);
    assert_eq!(bench.own("lanner_prometheus_merged_series", ""), 1);
    assert_eq!(bench.samples("target_info").await.len(), 2);
}

/// Scenario: damaged bytes; paths and methods that are not served; huge labels.
/// Guarantee: each is refused by name, and nothing breaks.
#[tokio::test]
async fn refusals() {
    let bench = Bench::new(Config::default()).await;
    let damaged = OtlpRequest { signal: Signal::Metrics, bytes: Bytes::from_static(b"\xff\xff\xff"), items: 1 };
    assert!(matches!(bench.exporter.export(&Request::new(damaged)).await, Outcome::Reject { .. }));
    let huge = "x".repeat(9000);
    let outcome = bench.export(vec![sum("a", CUMULATIVE, vec![point(&[("x", &huge)], 1, 1)])]).await;
    assert_eq!(outcome, Outcome::Partial { rejected: 1, reason: "too_large".into() });
    assert_eq!(get(bench.address, "/", "").await.unwrap().0, 404);
    let post = http::Request::builder().method("POST").uri("/metrics").body(()).unwrap();
    assert_eq!(bench.exporter.page.answer(&post).status(), StatusCode::METHOD_NOT_ALLOWED);
}

/// Scenario: a config with every mistake that this exporter can find.
/// Guarantee: all of them are reported at once, each with its path.
#[test]
fn every_mistake_is_reported() {
    let config = Config {
        const_labels: [("0bad".to_owned(), String::new()), ("good".to_owned(), String::new())].into(),
        metric_expiration: Span::from_secs(0),
        max_series: 0,
        ..Config::default()
    };
    let mut paths = Vec::new();
    assert!(config.check(&mut |path, _| paths.push(path.to_owned())).is_none());
    assert_eq!(paths, ["const_labels.0bad", "metric_expiration", "max_series"]);
}

/// One metric of each kind, with texts that need escapes, and a compatibility metric with its exact name.
fn everything(time: u64) -> Vec<Metric> {
    let odd = [("rule", "a \"quoted\" \\ back\nslash"), ("über.name", "ü")];
    let mut alerts = sum("falco.alerts", CUMULATIVE, vec![point(&odd, time, 41)]);
    alerts.description = "Falco \"alerts\".".into();
    let mut exact = sum("falco_events", CUMULATIVE, vec![point(&[("priority", "2")], time, 42)]);
    exact.metadata = vec![attr(otlp::EXACT_NAME, "falco_events")];
    let mut seen = gauge("falco.alert.last_seen", vec![point(&[], time, 43)]);
    seen.unit = "s".into();
    let histogram = HistogramDataPoint {
        time_unix_nano: time,
        explicit_bounds: vec![0.5, 1.0],
        bucket_counts: vec![1, 1, 2],
        count: 4,
        sum: Some(7.5),
        ..Default::default()
    };
    let histogram = Histogram { data_points: vec![histogram], aggregation_temporality: CUMULATIVE };
    let duration =
        Metric { name: "wait".into(), unit: "s".into(), data: Some(Data::Histogram(histogram)), ..Default::default() };
    vec![alerts, exact, seen, duration]
}

/// Scenario: a real Prometheus scrapes the exporter, in both formats.
/// Guarantee: every kind of metric arrives under the name and with the labels that dashboards ask for.
#[tokio::test]
async fn a_real_prometheus_scrapes_both_formats() {
    if !available("prometheus") {
        return;
    }
    for enable_open_metrics in [false, true] {
        let bench = Bench::new(Config { enable_open_metrics, ..Config::default() }).await;
        assert_eq!(bench.export(everything(1_700_000_000_000_000_000)).await, Outcome::Delivered);
        let server = PrometheusServer::scraping(bench.address).await;
        let cases = [
            ("falco_alerts_total", "41"),
            ("falco_alerts_total{key_ber_name=\"ü\",rule=~\"(?s)a .quoted.*\"}", "41"),
            ("falco_events{priority=~\"0|1|2|3\"}", "42"),
            ("falco_alert_last_seen_seconds", "43"),
            ("wait_seconds_sum", "7.5"),
            ("wait_seconds_bucket{le=\"+Inf\"}", "4"),
            ("target_info{exported_job=\"lanner\"}", "1"),
        ];
        for (query, expected) in cases {
            let found = server.query(query).await;
            assert_eq!(found[0]["value"][1], expected, "{query} (OpenMetrics {enable_open_metrics}): {found}");
        }
    }
}

/// Scenario: Prometheus's own checker reads the text format.
/// Guarantee: it finds no error. (Its advice on names concerns who names metrics.)
#[tokio::test]
async fn promtool_accepts_the_page() {
    if !available("promtool") {
        return;
    }
    let bench = Bench::new(Config::default()).await;
    bench.export(everything(1)).await;
    let page = bench.scrape().await;
    let mut child = std::process::Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let checked = child.wait_with_output().unwrap();
    let advice = String::from_utf8_lossy(&checked.stderr).into_owned();
    // 3 is "readable, but see the advice".
    assert!(matches!(checked.status.code(), Some(0 | 3)), "{advice}\n{page}");
    assert!(!advice.contains("error while linting"), "{advice}\n{page}");
}

/// Scenario: every key of the README's table stands in a YAML body.
/// Guarantee: it is accepted as it is, and a misspelt key is not.
#[test]
fn yaml_bodies() {
    let factory = crate::ALL.iter().find(|factory| factory.type_name == "prometheus").unwrap();
    let all = "endpoint: localhost:9464\nnamespace: edge\nconst_labels: {site: b1}\nsend_timestamps: true\n\
        metric_expiration: 10m\nresource_to_telemetry_conversion: {enabled: true}\nenable_open_metrics: true\n\
        add_metric_suffixes: false\nmax_series: 5\n";
    let trial = lanner_engine::config::plan_body(factory, all);
    assert!(trial.planned.is_some(), "{}", trial.rendered());
    assert!(lanner_engine::config::plan_body(factory, "metric_expiry: 10m\n").planned.is_none());
}
