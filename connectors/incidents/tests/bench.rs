//! The connector of a test: real stage, real events, real OTLP; the clock is tokio's, the pipeline and the storage the
//! test's.

use super::super::*;
use lanner_engine::{
    component::Kind,
    event::Signals,
    semantics::{
        AuditMapper, AuditOptions, FalcoMapper, MappingOptions,
        carried::{Form, Reading},
    },
    telemetry::{Health, Telemetry},
    testing::{Capture, MemoryStorage, planning},
};
use lanner_proto::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value},
    trace::v1::Span,
};
use prost::Message as _;
use std::{collections::BTreeMap, sync::Arc};
use tokio::task::JoinHandle;

/// 2026-03-02T10:01:00Z: the attack was a minute ago.
pub const START: u64 = 1_772_445_660_000_000_000;
pub const SECOND: u64 = 1_000_000_000;

/// The events of one attack, as Falco and an API server write them.
pub const FALCO: &str = include_str!("../testdata/attack.falco.jsonl");
pub const AUDIT: &str = include_str!("../testdata/attack.audit.jsonl");

/// A running connector.
pub struct Bench {
    pub stage: Arc<Running>,
    pub capture: Capture,
    pub telemetry: Telemetry,
    pub memory: MemoryStorage,
    pub drain: Drain,
    config: Config,
    task: JoinHandle<()>,
}

impl Bench {
    /// Runs the connector of this configuration; a storage is called `disk`.
    pub async fn start(config: Config) -> Self {
        Self::start_at(config, MemoryStorage::default(), Capture::new(), START).await
    }

    /// Runs it in front of pipelines for these signals only.
    pub async fn connected(config: Config, signals: Signals) -> Self {
        Self::start_at(config, MemoryStorage::default(), Capture::connected(signals), START).await
    }

    async fn start_at(config: Config, memory: MemoryStorage, capture: Capture, unix: u64) -> Self {
        let telemetry = Telemetry::default();
        let cx = BuildCx::new(Kind::Connector, "incidents".parse().unwrap(), telemetry.clone(), Health::default());
        let cx = memory.offer(&"disk".parse().unwrap(), cx);
        let (plan, findings) = planning(|cx| config.clone().check(cx));
        let plan = plan.unwrap_or_else(|| panic!("{findings:?}"));
        let stage = Arc::new(Running::new(plan, Clock::starting_at(unix), &cx).await.unwrap());
        let (drain, out, running) = (Drain::new(), capture.consumer(), Arc::clone(&stage));
        let task = tokio::spawn({
            let drain = drain.clone();
            async move { running.run(out, drain).await.unwrap() }
        });
        Self { stage, capture, telemetry, memory, drain, config, task }
    }

    /// Hands a batch over as the engine does, and lets the stage do what it can do now.
    pub async fn send(&self, batch: Batch) {
        self.stage.absorb(batch);
        self.stage.persist().await.unwrap();
        self.pass(0.01).await;
    }

    /// Lets so many seconds pass.
    pub async fn pass(&self, seconds: f64) {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }

    /// Kills it in whatever it is doing, and starts it again `seconds` later with the storage that it had.
    pub async fn kill(self, seconds: u64) -> Self {
        let now = self.stage.clock.now().unix;
        self.task.abort();
        let _ = self.task.await;
        Self::start_at(self.config, self.memory, self.capture, now + seconds * SECOND).await
    }

    /// Another connector that reads the same storage.
    pub async fn stored(&self) -> Running {
        let cx = BuildCx::new(Kind::Connector, "incidents".parse().unwrap(), Telemetry::default(), Health::default());
        let cx = self.memory.offer(&"disk".parse().unwrap(), cx);
        let (plan, _) = planning(|cx| self.config.clone().check(cx));
        Running::new(plan.unwrap(), Clock::starting_at(START), &cx).await.unwrap()
    }

    /// Drains it.
    pub async fn stop(self) -> Capture {
        self.drain.request();
        self.task.await.unwrap();
        self.capture
    }

    /// The value of an own metric: the sum of the series that have this label.
    pub fn own(&self, name: &str, label: &str) -> i64 {
        let metric = self.telemetry.metric(name).unwrap_or_else(|| panic!("no metric {name}"));
        let has = |labels: &[(&str, String)]| label.is_empty() || labels.iter().any(|(_, value)| value == label);
        metric.series.iter().filter(|(labels, _)| has(labels)).map(|(_, value)| value).sum()
    }
}

/// A Falco alert, mapped.
pub fn falco(line: &str) -> Batch {
    let mapper = FalcoMapper::new(&MappingOptions::default());
    let mapped = mapper.map_line(&line.into(), START).unwrap();
    Batch::logs(Logs::one(mapped.resource, Arc::default(), mapped.record))
}

/// An audit event, mapped.
pub fn audit(line: &str) -> Batch {
    let mapper = AuditMapper::new(&AuditOptions::default()).unwrap();
    let origin = mapper.origin(None);
    match mapper.map_carried(&origin, &Form::Text(line.trim().into()), START) {
        Reading::Event(mapped) => Batch::logs(Logs::one(Arc::clone(origin.resource()), Arc::default(), mapped.record)),
        other => panic!("{other:?}"),
    }
}

/// The parts of an alert that matter here.
#[derive(Clone, Debug)]
pub struct Alert {
    pub pod: &'static str,
    /// Empty when Falco did not know.
    pub uid: &'static str,
    pub container: &'static str,
    pub priority: &'static str,
    pub pid: u32,
    pub parent: u32,
    /// Seconds after [`START`].
    pub created: f64,
    pub time: f64,
}

impl Default for Alert {
    fn default() -> Self {
        let (pod, uid, container) = ("web", "u-1", "c-1");
        Self { pod, uid, container, priority: "Warning", pid: 10, parent: 1, created: 0.0, time: 1.0 }
    }
}

fn nanos_at(seconds: f64) -> u64 {
    START.saturating_add_signed((seconds * 1e9) as i64)
}

impl Alert {
    pub fn batch(&self) -> Batch {
        let Self { pod, uid, container, priority, pid, parent, created, time } = self;
        let (created, time) = (nanos_at(*created), nanos_at(*time));
        let text = |value: &str| if value.is_empty() { "null".to_owned() } else { format!("\"{value}\"") };
        let namespace = text(if pod.is_empty() { "" } else { "shop" });
        falco(&format!(
            r#"{{"hostname":"node-a","output":"{pod} {container} {time} {pid}","priority":"{priority}","rule":"Rule {priority}","source":"syscall",
            "time":"2026-03-02T10:01:00Z","tags":["mitre_execution"],"output_fields":{{"evt.time":{time},"container.id":{},
            "k8s.ns.name":{namespace},"k8s.pod.name":{},"k8s.pod.uid":{},"proc.pid":{pid},"proc.ppid":{parent},
            "proc.pid.ts":{created},"proc.name":"p{pid}"}}}}"#,
            text(container),
            text(pod),
            text(uid),
        ))
        .at(time)
    }
}

/// Sets the time of the only record.
trait At {
    fn at(self, time: u64) -> Self;
}

impl At for Batch {
    fn at(mut self, time: u64) -> Self {
        self.records_mut().for_each(|record| record.time_unix_nano = time);
        self
    }
}

/// An exec into a pod, with seconds after [`START`].
pub fn exec(pod: &str, id: &str, time: f64) -> Batch {
    let line = AUDIT.replace("web-7d4b9", pod).replace("5f0c1a52-9d1e-4b8e-8a2c-1f7e6a3b9c10", id);
    audit(&line).at(nanos_at(time))
}

/// Every log record that came out.
pub fn records(capture: &Capture) -> Vec<LogRecord> {
    let mut batches: Vec<Batch> =
        capture.batches().into_iter().filter(|batch| batch.signal() == Signal::Logs).collect();
    batches.iter_mut().for_each(|batch| batch.decode().unwrap());
    batches.iter().flat_map(|batch| batch.records().cloned()).collect()
}

/// The records of incidents: state and number of alerts.
pub fn reports(capture: &Capture) -> Vec<(String, i64)> {
    let state = |record: &LogRecord| record.attrs.get_str(&"lanner.incident.state".into()).unwrap().to_owned();
    let alerts = |record: &LogRecord| record.attrs.get(&"lanner.incident.alerts".into()).unwrap().as_int().unwrap();
    let of_incidents = records(capture).into_iter().filter(|record| &*record.event_name == "lanner.incident");
    of_incidents.map(|record| (state(&record), alerts(&record))).collect()
}

/// Every span that came out.
pub fn spans(capture: &Capture) -> Vec<Span> {
    let requests = capture.batches().into_iter().filter(|batch| batch.signal() == Signal::Traces).map(|batch| {
        let otlp = batch.to_otlp();
        let request = ExportTraceServiceRequest::decode(otlp.bytes).unwrap();
        let spans = |request: &ExportTraceServiceRequest| -> Vec<Span> {
            let scopes = request.resource_spans.iter().flat_map(|group| &group.scope_spans);
            scopes.flat_map(|scope| scope.spans.clone()).collect()
        };
        let spans = spans(&request);
        assert_eq!(spans.len(), otlp.items, "the announced number of spans is the real one");
        spans
    });
    requests.flatten().collect()
}

/// The attributes of a span or event, as text; lists are sorted.
pub fn plain(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    fn text(value: &any_value::Value) -> String {
        match value {
            any_value::Value::StringValue(text) => text.clone(),
            any_value::Value::IntValue(number) => number.to_string(),
            any_value::Value::DoubleValue(number) => number.to_string(),
            any_value::Value::BoolValue(flag) => flag.to_string(),
            any_value::Value::ArrayValue(items) => {
                let mut items: Vec<_> = items.values.iter().filter_map(|item| item.value.as_ref()).map(text).collect();
                items.sort();
                format!("[{}]", items.join(", "))
            }
            other => panic!("{other:?}"),
        }
    }
    let of = |pair: &KeyValue| Some((pair.key.clone(), text(pair.value.as_ref()?.value.as_ref()?)));
    attributes.iter().filter_map(of).collect()
}

/// A trace as a tree: names, seconds after `zero`, attributes and events; ids that differ every time are left out.
pub fn drawn(spans: &[Span], zero: u64) -> String {
    let mut text = String::new();
    let mut roots: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
    roots.sort_by_key(|span| span.start_time_unix_nano);
    roots.into_iter().for_each(|root| draw(root, spans, zero, 0, &mut text));
    text
}

fn draw(span: &Span, spans: &[Span], zero: u64, depth: usize, text: &mut String) {
    use std::fmt::Write as _;
    let (indent, at) = ("  ".repeat(depth), |time: u64| (time as i64 - zero as i64) as f64 / 1e9);
    let status = span.status.as_ref().map_or("unset", |status| if status.code == 2 { "error" } else { "ok" });
    let (start, end) = (at(span.start_time_unix_nano), at(span.end_time_unix_nano));
    writeln!(text, "{indent}{} {start:.2}s to {end:.2}s, {status}, {} links", span.name, span.links.len()).unwrap();
    let line = |text: &mut String, attributes: &[KeyValue], indent: &str| {
        for (key, value) in plain(attributes) {
            // These differ every time, or with the order of events.
            let differs = ["incident.id", "log.record.uid", "lanner.incident.correlation"].contains(&key.as_str());
            let value = if differs { "*" } else { &value };
            writeln!(text, "{indent}{key} = {value}").unwrap();
        }
    };
    line(text, &span.attributes, &format!("{indent}  . "));
    for event in &span.events {
        writeln!(text, "{indent}  * {} at {:.2}s", event.name, at(event.time_unix_nano)).unwrap();
        line(text, &event.attributes, &format!("{indent}      "));
    }
    let mut below: Vec<&Span> = spans.iter().filter(|child| child.parent_span_id == span.span_id).collect();
    below.sort_by_key(|child| child.start_time_unix_nano);
    below.into_iter().for_each(|child| draw(child, spans, zero, depth + 1, text));
}
