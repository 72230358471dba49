//! Scenarios of `event_metrics`: real stage, real OTLP; the clocks and the pipeline behind it are the test's.

use super::{config::MetricConfig, metric::OutputKind, recognise::Match, sets::Compat, *};
use lanner_engine::{
    component::{Admission, Intake, Taking},
    config::Duration as Span,
    semantics::{FalcoMapper, MappingOptions},
    stage::Now,
    telemetry::Telemetry,
};
use lanner_proto::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{KeyValue, any_value},
    metrics::v1::{Metric, NumberDataPoint, metric::Data, number_data_point},
};
use parking_lot::Mutex;
use prost::Message as _;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicUsize},
};

/// A pipeline that keeps what it is given, or is busy.
#[derive(Default)]
struct Sink {
    taken: Mutex<Vec<ExportMetricsServiceRequest>>,
    arrived: Notify,
    refusals: Mutex<Vec<Refused>>,
}

impl Intake for Sink {
    fn take(&self, batch: Batch, _hold: Duration) -> Taking<'_> {
        Taking::waits(async move {
            if let Some(refused) = self.refusals.lock().pop() {
                return Err(refused);
            }
            let otlp = batch.to_otlp();
            let request = ExportMetricsServiceRequest::decode(otlp.bytes).unwrap();
            let points: usize = metrics_of(&request).map(|metric| points_of(metric).len()).sum();
            assert_eq!(points, otlp.items, "the announced number of points is the real one");
            self.taken.lock().push(request);
            self.arrived.notify_one();
            Ok(())
        })
    }

    fn take_patiently<'t>(&'t self, batch: Batch, _: &'t Drain) -> Taking<'t> {
        self.take(batch, Duration::MAX)
    }

    fn admit(&self, bytes: usize) -> Result<Admission, Refused> {
        Ok(Admission::new(Arc::new(AtomicUsize::new(bytes)), bytes))
    }

    fn failed(&self, _items: u64, _reason: &'static str) {}
}

fn metrics_of(request: &ExportMetricsServiceRequest) -> impl Iterator<Item = &Metric> {
    request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics).flat_map(|scope| &scope.metrics)
}

fn points_of(metric: &Metric) -> &[NumberDataPoint] {
    match metric.data.as_ref().unwrap() {
        Data::Gauge(gauge) => &gauge.data_points,
        Data::Sum(sum) => {
            assert!(sum.is_monotonic);
            assert_eq!(sum.aggregation_temporality, 2, "cumulative");
            &sum.data_points
        }
        other => panic!("unexpected {other:?}"),
    }
}

fn plain(attributes: &[KeyValue]) -> BTreeMap<&str, &str> {
    let value = |pair: &KeyValue| match pair.value.as_ref().unwrap().value.as_ref().unwrap() {
        any_value::Value::StringValue(text) => text.clone().leak() as &str,
        any_value::Value::BoolValue(true) => "true",
        other => panic!("unexpected {other:?}"),
    };
    attributes.iter().map(|pair| (pair.key.as_str(), value(pair))).collect()
}

fn number(point: &NumberDataPoint) -> f64 {
    match point.value.unwrap() {
        number_data_point::Value::AsInt(number) => number as f64,
        number_data_point::Value::AsDouble(number) => number,
    }
}

/// A stage, its clock in nanoseconds since 1970, and the telemetry it reports to.
struct Bench {
    stage: Arc<Running>,
    time: Arc<AtomicU64>,
    telemetry: Telemetry,
}

/// Some day in 2023.
const START: u64 = 1_700_000_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

impl Bench {
    fn new(config: Config) -> Self {
        let time = Arc::new(AtomicU64::new(START));
        let telemetry = Telemetry::default();
        let cx = BuildCx::new(Kind::Connector, "event_metrics".parse().unwrap(), telemetry.clone(), Default::default());
        let read = Arc::clone(&time);
        let clock = Clock::from_fn(move || {
            let unix = read.load(SeqCst);
            Now { unix, monotonic: unix - START }
        });
        let plan = config.check(&mut |path, error| panic!("{path}: {error}")).unwrap();
        Self { stage: Arc::new(Running::new(plan, clock, &cx)), time, telemetry }
    }

    fn pass(&self, nanos: u64) {
        self.time.fetch_add(nanos, SeqCst);
    }

    /// What the stage would hand on now, by metric name.
    async fn snapshot(&self) -> BTreeMap<String, Vec<NumberDataPoint>> {
        let sink = Arc::new(Sink::default());
        self.stage.emit(&Consumer::new(sink.clone()), Duration::ZERO).await.unwrap();
        let mut found: BTreeMap<String, Vec<NumberDataPoint>> = BTreeMap::new();
        for request in sink.taken.lock().iter() {
            for metric in metrics_of(request) {
                found.entry(metric.name.clone()).or_default().extend_from_slice(points_of(metric));
            }
        }
        found
    }

    fn own(&self, name: &str, outcome: Option<&str>) -> i64 {
        let metrics = self.telemetry.snapshot();
        let metric = metrics.iter().find(|metric| metric.name == name).unwrap();
        let wanted = |labels: &[(&str, String)]| {
            outcome.is_none_or(|outcome| labels.iter().any(|(name, value)| *name == "outcome" && value == outcome))
        };
        metric.series.iter().filter(|(labels, _)| wanted(labels)).map(|(_, value)| value).sum()
    }
}

fn alert(rule: &str) -> LogRecord {
    let mut record =
        LogRecord { time_unix_nano: START - SECOND, event_name: "falco.alert".into(), ..Default::default() };
    record.attrs.set("security_rule.name", rule);
    record.attrs.set("falco.priority", "critical");
    record.attrs.set("falco.source", "syscall");
    record.attrs.set("falco.tags", ["container", "T1059.004"].map(Text::from).into_iter().collect::<Value>());
    record
}

fn batch(records: impl IntoIterator<Item = LogRecord>) -> Batch {
    let mut resource = Resource::default();
    resource.attrs.set("host.name", "node-1");
    resource.attrs.set("k8s.namespace.name", "shop");
    let (resource, scope) = (Arc::new(resource), Arc::new(Scope::default()));
    let mut logs = Logs::default();
    for record in records {
        logs.push(Arc::clone(&resource), Arc::clone(&scope), record);
    }
    Batch::logs(logs)
}

/// Scenario: alerts of two rules, an audit event and a plain line arrive with the default configuration.
/// Guarantee: the default metrics hold exactly them, with the attributes of the mapping, and every record is in the
/// connector's own ledger.
#[tokio::test]
async fn default_metrics() {
    let bench = Bench::new(Config::default());
    let mut audit = LogRecord { event_name: "k8s.audit.event".into(), ..Default::default() };
    audit.attrs.set("k8s.audit.event.request.verb", "create");
    audit.attrs.set("k8s.audit.event.object_ref.resource", "pods");
    audit.attrs.set("http.response.status_code", 403);
    audit.attrs.set("k8s.audit.event.annotation.authorization.k8s.io/decision", "forbid");
    bench.stage.absorb(batch([alert("shell"), alert("shell"), alert("write"), audit, LogRecord::default()]));

    let found = bench.snapshot().await;
    let alerts = &found["falco.alerts"];
    assert_eq!(alerts.len(), 2);
    let shell = alerts.iter().find(|point| number(point) == 2.0).unwrap();
    let expected = [("falco.priority", "critical"), ("falco.source", "syscall"), ("security_rule.name", "shell")];
    assert_eq!(plain(&shell.attributes), BTreeMap::from(expected));
    assert_eq!((shell.start_time_unix_nano, shell.time_unix_nano), (START, START));
    assert_eq!(number(&found["falco.alert.last_seen"][0]), 1_699_999_999.0);
    let expected = [("verb", "create"), ("resource", "pods"), ("response_class", "4xx"), ("decision", "forbid")];
    assert_eq!(plain(&found["k8s.audit.events"][0].attributes), BTreeMap::from(expected));
    assert_eq!(bench.own("lanner_event_metrics_records", Some("counted")), 4);
    assert_eq!(bench.own("lanner_event_metrics_records", Some("unmatched")), 1);
}

/// Scenario: a hop lost the event name of an alert; Falco itself reports a dropped event.
/// Guarantee: the first is still an alert, the second is none.
#[tokio::test]
async fn alerts_are_recognised_without_their_name() {
    let bench = Bench::new(Config::default());
    let nameless = LogRecord { event_name: Text::EMPTY, ..alert("shell") };
    let mut internal = nameless.clone();
    internal.attrs.set("falco.source", "internal");
    bench.stage.absorb(batch([nameless, internal]));
    assert_eq!(number(&bench.snapshot().await["falco.alerts"][0]), 1.0);
}

/// Scenario: all compatibility sets are on and a critical alert of a pod arrives.
/// Guarantee: names, labels and the three priority scales are exactly those of falcosidekick, Falco and
/// falco-exporter.
#[tokio::test]
async fn compatibility_sets() {
    let compat = vec![Compat::Falcosidekick, Compat::Falco, Compat::FalcoExporter];
    let bench = Bench::new(Config { defaults: false, compat, ..Config::default() });
    bench.stage.absorb(batch([alert("shell")]));
    let found = bench.snapshot().await;
    let labels = |name: &str| plain(&found[name][0].attributes);
    let common = [
        ("rule", "shell"),
        ("source", "syscall"),
        ("hostname", "node-1"),
        ("k8s_ns_name", "shop"),
        ("k8s_pod_name", ""),
    ];
    let mut sidekick = BTreeMap::from(common);
    sidekick.extend([("priority", "6"), ("priority_raw", "critical")]);
    assert_eq!(labels("falcosecurity_falcosidekick_falco_events_total"), sidekick);
    let inputs = BTreeMap::from([("source", "requests"), ("status", "accepted")]);
    assert_eq!(labels("falcosecurity_falcosidekick_inputs_total"), inputs);
    let falco = [("rule_name", "shell"), ("source", "syscall"), ("priority", "2")];
    let flags = [("tag_container", "true"), ("tag_T1059_004", "true")];
    assert_eq!(labels("falcosecurity_falco_rules_matches_total"), falco.into_iter().chain(flags).collect());
    let mut exporter = BTreeMap::from(common);
    exporter.extend([("priority", "2"), ("tags", ",container,T1059.004,")]);
    assert_eq!(labels("falco_events"), exporter);
}

/// Scenario: one metric of one's own with an attribute of the resource, and opt-in attributes for the defaults.
/// Guarantee: values come from the record or else from its resource; what is nowhere is left out.
#[tokio::test]
async fn attributes_of_record_and_resource() {
    let by_node = MetricConfig {
        kind: OutputKind::LastSeen,
        events: Match::All,
        attributes: vec!["host.name".into(), "no.such.attribute".into()],
        ..Default::default()
    };
    let bench = Bench::new(Config {
        attributes_opt_in: vec!["k8s.namespace.name".into(), "workload".into()],
        metrics: [("node.last_seen".to_owned(), by_node)].into(),
        ..Config::default()
    });
    bench.stage.absorb(batch([alert("shell")]));
    let found = bench.snapshot().await;
    assert_eq!(plain(&found["node.last_seen"][0].attributes), BTreeMap::from([("host.name", "node-1")]));
    assert_eq!(plain(&found["falco.alerts"][0].attributes)["k8s.namespace.name"], "shop");
}

/// Scenario: a hostile sender uses very many rule names (X9), some of them endless or dated in the far future.
/// Guarantee: no metric has more than 2000 series and one for the overflow; the total is exact; values are cut at a
/// character boundary; no time lies in the future.
#[tokio::test]
async fn x9_distinct_values_are_bounded_and_totals_exact() {
    let many: u64 = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
    let bench = Bench::new(Config::default());
    for number in 0..many {
        let rule = if number % 2 == 0 { format!("{number:08}{}", "é".repeat(300)) } else { number.to_string() };
        let mut record = alert(&rule);
        record.time_unix_nano = u64::MAX - number;
        bench.stage.absorb(batch([record]));
    }
    let found = bench.snapshot().await;
    let alerts = &found["falco.alerts"];
    assert_eq!(alerts.len(), 2001);
    assert_eq!(alerts.iter().map(number).sum::<f64>(), many as f64);
    let overflow = BTreeMap::from([("otel.metric.overflow", "true")]);
    let over = alerts.iter().find(|point| plain(&point.attributes) == overflow).unwrap();
    assert_eq!(number(over), (many - 2000) as f64);
    assert_eq!(bench.own("lanner_event_metrics_overflowed", None) as u64, many - 2000);
    for point in alerts.iter().filter(|point| plain(&point.attributes) != overflow) {
        assert!(plain(&point.attributes)["security_rule.name"].len() <= label::MAX_VALUE);
    }
    assert!(found["falco.alert.last_seen"].iter().all(|point| number(point) <= (START / SECOND) as f64));
}

/// Scenario: values that would look alike when simply joined.
/// Guarantee: they are different series.
#[tokio::test]
async fn values_are_kept_apart() {
    let bench = Bench::new(Config::default());
    let mut a = alert("a\0b");
    a.attrs.set("falco.source", "c");
    let mut b = alert("a");
    b.attrs.set("falco.source", "b\0c");
    let mut absent = alert("a");
    absent.attrs.remove(&Key::intern("falco.source"));
    bench.stage.absorb(batch([a, b, absent]));
    assert_eq!(bench.snapshot().await["falco.alerts"].len(), 3);
}

/// Scenario: eight threads count into the same and into different series at once.
/// Guarantee: not one event is lost or counted twice.
#[tokio::test]
async fn counts_are_exact_from_many_threads() {
    let bench = Bench::new(Config::default());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let stage = &bench.stage;
            scope.spawn(move || {
                for number in 0..2000 {
                    stage.absorb(batch([alert("shared"), alert(&format!("own-{thread}-{}", number % 10))]));
                }
            });
        }
    });
    let found = bench.snapshot().await;
    let alerts = &found["falco.alerts"];
    assert_eq!(alerts.len(), 81);
    assert_eq!(alerts.iter().map(number).sum::<f64>(), 32_000.0);
    assert!(alerts.iter().any(|point| number(point) == 16_000.0));
}

/// Scenario: a rule is silent for more than an hour and then fires again.
/// Guarantee: its series is forgotten meanwhile, and comes back with 1 and a new start time.
#[tokio::test]
async fn idle_series_expire_and_start_anew() {
    let bench = Bench::new(Config::default());
    bench.stage.absorb(batch([alert("old"), alert("old")]));
    assert_eq!(bench.snapshot().await["falco.alerts"].len(), 1);
    bench.pass(3599 * SECOND);
    assert_eq!(bench.snapshot().await["falco.alerts"].len(), 1, "not yet");
    bench.pass(2 * SECOND);
    assert!(bench.snapshot().await.is_empty());
    assert_eq!(bench.own("lanner_event_metrics_expired_series", None), 1);

    bench.stage.absorb(batch([alert("old")]));
    let found = bench.snapshot().await;
    let again = &found["falco.alerts"][0];
    assert_eq!((number(again), again.start_time_unix_nano), (1.0, START + 3601 * SECOND));
}

/// Scenario: the pipeline was busy ever since an event came, for longer than the expiry.
/// Guarantee: the event is not forgotten before it was handed on.
#[tokio::test]
async fn nothing_expires_before_it_was_handed_on() {
    let bench = Bench::new(Config::default());
    bench.stage.absorb(batch([alert("rare")]));
    bench.pass(7200 * SECOND);
    let sink = Arc::new(Sink::default());
    sink.refusals.lock().push(Refused::Busy { full: "queue".into(), retry_after: Duration::from_secs(1) });
    bench.stage.emit(&Consumer::new(sink), Duration::ZERO).await.unwrap_err();
    assert_eq!(number(&bench.snapshot().await["falco.alerts"][0]), 1.0);
}

/// Runs the stage against `sink`; returns its drain and its end.
fn start(bench: &Bench, sink: &Arc<Sink>) -> (Drain, tokio::task::JoinHandle<()>) {
    let (drain, stage, out) = (Drain::new(), Arc::clone(&bench.stage), Consumer::new(sink.clone()));
    let task = tokio::spawn({
        let drain = drain.clone();
        async move { stage.run(out, drain).await.unwrap() }
    });
    (drain, task)
}

/// Scenario: an event, a burst within the interval, silence, then drain.
/// Guarantee: the first goes out at once, the burst as one snapshot after the interval, silence costs one refresh a
/// minute, and drain does not repeat what is known.
#[tokio::test(start_paused = true)]
async fn emits_on_change_and_refreshes_when_idle() {
    let bench = Bench::new(Config::default());
    let sink = Arc::new(Sink::default());
    let (drain, task) = start(&bench, &sink);
    let begin = Instant::now();
    bench.stage.absorb(batch([alert("a")]));
    sink.arrived.notified().await;
    assert!(begin.elapsed() < Duration::from_millis(10));
    for _ in 0..100 {
        bench.stage.absorb(batch([alert("a")]));
    }
    sink.arrived.notified().await;
    assert!(begin.elapsed() >= Duration::from_secs(1) && begin.elapsed() < Duration::from_millis(1100));
    sink.arrived.notified().await;
    assert!(begin.elapsed() >= REFRESH && begin.elapsed() < REFRESH + Duration::from_secs(2));
    assert_eq!(sink.taken.lock().len(), 3);
    drain.request();
    task.await.unwrap();
    assert_eq!(sink.taken.lock().len(), 3);
}

/// Scenario: the pipeline is busy twice, and a last event comes just before drain.
/// Guarantee: counts wait for the next snapshot instead of being lost; drain flushes the last one.
#[tokio::test(start_paused = true)]
async fn busy_pipeline_and_drain_lose_nothing() {
    let bench = Bench::new(Config { interval: Span::from_secs(30), ..Config::default() });
    let sink = Arc::new(Sink::default());
    let busy = Refused::Busy { full: "queue".into(), retry_after: Duration::from_secs(45) };
    sink.refusals.lock().extend([busy.clone(), busy]);
    let (drain, task) = start(&bench, &sink);
    bench.stage.absorb(batch([alert("a")]));
    let begin = Instant::now();
    sink.arrived.notified().await;
    assert!(begin.elapsed() >= Duration::from_secs(90));
    bench.stage.absorb(batch([alert("a")]));
    drain.request();
    task.await.unwrap();
    let taken = sink.taken.lock();
    let last = metrics_of(taken.last().unwrap()).find(|metric| metric.name == "falco.alerts").unwrap();
    assert_eq!((taken.len(), number(&points_of(last)[0])), (2, 2.0));
}

/// Scenario: a config with every mistake that this connector can find.
/// Guarantee: all of them are reported at once, each with its path.
#[test]
fn every_mistake_is_reported() {
    let metrics = [
        ("9lives".to_owned(), MetricConfig::default()),
        ("falco_events".to_owned(), MetricConfig { attributes: vec![String::new()], ..Default::default() }),
    ];
    let config = Config {
        defaults: false,
        attributes_opt_in: vec!["x".into()],
        compat: vec![Compat::FalcoExporter],
        metrics: metrics.into(),
        interval: Span::from_secs(0),
        max_series: 0,
        expire_after: Span::from_secs(1),
    };
    let mut paths = Vec::new();
    assert!(config.check(&mut |path, _| paths.push(path.to_owned())).is_none());
    paths.sort();
    let expected = [
        "attributes_opt_in",
        "expire_after",
        "interval",
        "max_series",
        "metrics.9lives",
        "metrics.falco_events",
        "metrics.falco_events.attributes[0]",
    ];
    assert_eq!(paths, expected);
    let nothing = Config { defaults: false, ..Config::default() };
    assert!(nothing.check(&mut |path, _| assert_eq!(path, "")).is_none());
}

/// Scenario: a million alerts of 20 rules into the default metrics.
/// Guarantee: far less than the microsecond that the hot path can afford (checked in release builds only).
#[test]
fn cost_of_absorb() {
    let bench = Bench::new(Config::default());
    let batches: Vec<Batch> = (0..20).map(|rule| batch([alert(&format!("rule number {rule}"))])).collect();
    let rounds = if cfg!(debug_assertions) { 1_000 } else { 50_000 };
    let begin = std::time::Instant::now();
    for _ in 0..rounds {
        for batch in &batches {
            bench.stage.absorb(batch.clone());
        }
    }
    let each = begin.elapsed().as_nanos() / (rounds * batches.len()) as u128;
    println!("absorb: {each} ns per alert");
    assert!(cfg!(debug_assertions) || each < 1000, "{each} ns");
}

/// Scenario: every key of the README's table stands in a YAML body, and the body is empty.
/// Guarantee: both are accepted as they are, and a misspelt key is not.
#[test]
fn yaml_bodies() {
    let factory = crate::ALL.iter().find(|factory| factory.type_name == "event_metrics").unwrap();
    let all = "defaults: true\nattributes_opt_in: [k8s.namespace.name, workload, tactic]\n\
        compat: [falcosidekick, falco, falco-exporter]\ninterval: 2s\nmax_series: 10\nexpire_after: 2h\n\
        metrics:\n  my.metric: {description: d, unit: s, type: last_seen, match: audit, attributes: [a.b]}\n";
    let spellings = "compat: [falco-exporter, falco_exporter, falcosidekick, falco]\n";
    for body in [all, "", spellings] {
        let trial = lanner_engine::config::plan_body(factory, body);
        assert!(trial.planned.is_some(), "{}", trial.rendered());
    }
    assert!(lanner_engine::config::plan_body(factory, "default: true\n").planned.is_none());
}

/// Scenario: bodies with alerts of every priority, of pods and of hosts, a message of Falco's own and text, mapped once whole
/// and once for who reads what this stage says it reads; every metric there is, and two of the user's.
/// Guarantee: both give the same metrics, so the stage names everything it looks at.
#[tokio::test]
async fn what_it_reads_is_all_it_needs() {
    let body: String = Priority::ALL
        .iter()
        .enumerate()
        .map(|(number, priority)| {
            format!(
                r#"{{"output":"o","priority":"{}","rule":"rule {}","source":"{}","time":"2023-11-14T22:13:1{}Z","hostname":"node-1","tags":["T1059","mitre_execution","t{number}"],"output_fields":{{"proc.name":"p{number}","k8s.ns.name":"shop","k8s.pod.name":"cart-{number}","evt.arg.flags":"f{}"}}}}{}"#,
                priority.title(),
                number % 3,
                ["syscall", "k8s_audit", "internal"][number % 3],
                number,
                number % 2,
                "\n",
            )
        })
        .chain(["no alert\n".to_owned()])
        .collect();
    let metric = |events, attributes: [&str; 2]| MetricConfig {
        events,
        attributes: attributes.map(str::to_owned).into(),
        ..MetricConfig::default()
    };
    let config = Config {
        attributes_opt_in: ["workload", "tactic", "k8s.pod.name"].map(str::to_owned).into(),
        compat: vec![Compat::Falcosidekick, Compat::Falco, Compat::FalcoExporter],
        metrics: BTreeMap::from([
            ("of.processes".to_owned(), metric(Match::Alerts, ["process.name", "host.name"])),
            ("of.all".to_owned(), metric(Match::All, ["falco.evt.arg.flags", "falco.output_fields.evt.arg.flags"])),
        ]),
        ..Config::default()
    };
    let (whole, part) = (Bench::new(config.clone()), Bench::new(config));
    let (mapper, scope) = (FalcoMapper::new(&MappingOptions::default()), semantics::scope("test"));
    let (mut all, mut read) = (Logs::default(), Logs::default());
    mapper.map_body(&body.as_str().into(), START, &scope, &mut all);
    mapper.map_body_for(&part.stage.reads_only().unwrap(), &body.as_str().into(), START, &scope, &mut read);
    assert!(read.records().all(|record| record.attrs.get(&"log.record.uid".into()).is_none()), "it is not whole");
    whole.stage.absorb(Batch::logs(all));
    part.stage.absorb(Batch::logs(read));
    let (whole, part) = (whole.snapshot().await, part.snapshot().await);
    assert_eq!(whole.keys().collect::<Vec<_>>(), part.keys().collect::<Vec<_>>());
    for (name, points) in &whole {
        let sorted = |points: &[NumberDataPoint]| {
            let mut shown: Vec<String> = points.iter().map(|point| format!("{point:?}")).collect();
            shown.sort();
            shown
        };
        assert_eq!(sorted(points), sorted(&part[name]), "{name}");
    }
}
