//! Scenarios of `aggregate`: the real stage between test senders and a captured pipeline, on tokio's paused clock.

mod bounds;
mod folding;
mod kills;
mod plans;

use super::*;
use lanner_engine::{
    event::LogGroup,
    semantics,
    stage::Now,
    telemetry::{Health, Telemetry},
    testing::{Capture, MemoryStorage, log, planning},
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// Some day in 2023, in nanoseconds since 1970.
const START: u64 = 1_700_000_000_000_000_000;
const SECOND: Duration = Duration::from_secs(1);

/// An alert of a rule, with an id.
fn alert(rule: &str, uid: impl ToString) -> LogRecord {
    let mut record = log()
        .event_name("falco.alert")
        .body(format!("{rule} happened"))
        .attr("security_rule.name", rule)
        .attr("falco.priority", "warning")
        .attr("log.record.uid", uid.to_string())
        .priority(Priority::Warning)
        .build();
    record.time_unix_nano = START - 1;
    record
}

fn batch(records: impl IntoIterator<Item = LogRecord>) -> Batch {
    let mut resource = Resource::default();
    resource.attrs.set("host.name", "node-1");
    let records = records.into_iter().collect();
    Batch::logs(Logs { groups: vec![LogGroup { resource: Arc::new(resource), records, ..LogGroup::default() }] })
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
struct Out {
    uid: String,
    event_name: String,
    body: String,
    /// How many records it stands for.
    count: u64,
    record: LogRecord,
}

/// A running stage.
struct Bench {
    stage: Arc<Running>,
    telemetry: Telemetry,
    capture: Capture,
    drain: Drain,
    task: tokio::task::JoinHandle<()>,
}

impl Bench {
    async fn start(config: serde_json::Value) -> Self {
        Self::start_on(config, &MemoryStorage::default(), Capture::new(), Clock::starting_at(START)).await
    }

    async fn start_on(config: serde_json::Value, storage: &MemoryStorage, capture: Capture, clock: Clock) -> Self {
        let telemetry = Telemetry::default();
        let cx = BuildCx::new(Kind::Processor, "aggregate".parse().unwrap(), telemetry.clone(), Health::default());
        let cx = storage.offer(&"file_storage".parse().unwrap(), cx);
        let stage = Arc::new(Running::open(plan(config), clock, &cx).await.unwrap());
        let drain = Drain::new();
        let (running, out, until) = (Arc::clone(&stage), capture.consumer(), drain.clone());
        let task = tokio::spawn(async move { running.run(out, until).await.unwrap() });
        Self { stage, telemetry, capture, drain, task }
    }

    /// Sends and lets the stage hand on what is due.
    async fn send(&self, records: impl IntoIterator<Item = LogRecord>) {
        self.stage.absorb(batch(records));
        self.stage.persist().await.unwrap();
        self.pass(Duration::from_nanos(1)).await;
    }

    /// Lets time pass.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn out(&self) -> Vec<Out> {
        out(&self.capture)
    }

    /// Bodies of what came out.
    fn bodies(&self) -> Vec<String> {
        self.out().into_iter().map(|out| out.body).collect()
    }

    /// The sum of a metric over all series that have this label value.
    fn metric(&self, name: &str, value: &str) -> i64 {
        let metric = self.telemetry.metric(name).unwrap();
        let series = metric.series.iter().filter(|(labels, _)| labels.iter().any(|(_, label)| label == value));
        series.map(|(_, value)| value).sum()
    }

    /// Asserts that every one of so many records is accounted for.
    fn assert_adds_up(&self, absorbed: i64) {
        let outcomes = ["passed", "bypassed", "over_limit", "repeated", "undecodable"];
        let outcomes: i64 = outcomes.iter().map(|outcome| self.metric("lanner_aggregate_records", outcome)).sum();
        let suppressed = self.telemetry.metric("security_alerts_suppressed").unwrap();
        let suppressed: i64 = suppressed.series.iter().map(|(_, value)| value).sum();
        let held = self.metric("lanner_aggregate_held_records", "aggregate");
        assert_eq!(outcomes + suppressed + held, absorbed);
    }

    /// Drains; what came out until then.
    async fn stop(self) -> Vec<Out> {
        self.drain.request();
        self.task.await.unwrap();
        out(&self.capture)
    }

    /// As SIGKILL does.
    async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

fn plan(config: serde_json::Value) -> Plan {
    let config: Config = serde_json::from_value(config).unwrap();
    let (plan, findings) = planning(|cx| config.check(cx));
    plan.unwrap_or_else(|| panic!("{findings:?}"))
}

fn out(capture: &Capture) -> Vec<Out> {
    let mut all = Vec::new();
    for mut batch in capture.batches() {
        batch.decode().unwrap();
        all.extend(batch.records().map(|record| {
            let text = |key: &'static str| record.attrs.get_str(&Key::intern(key)).unwrap_or_default().to_owned();
            let count = record.attrs.get(&Key::intern("lanner.group.count")).and_then(Value::as_int);
            Out {
                uid: text("log.record.uid"),
                event_name: record.event_name.to_string(),
                body: record.body.as_str().unwrap_or_default().to_owned(),
                count: count.map_or(1, |count| u64::try_from(count).unwrap()),
                record: record.clone(),
            }
        }));
    }
    all
}

/// How many records stand behind what came out; what came out twice counts once.
fn total(out: &[Out]) -> u64 {
    let distinct: BTreeMap<&str, u64> = out.iter().map(|out| (out.uid.as_str(), out.count)).collect();
    distinct.values().sum()
}
