//! A PagerDuty that is a list of calls and knows which alerts are open: for everything about time, because clocks stand
//! still. Replies of a real server are looked at in [`replies`].

mod config;
mod events;
mod order;
mod quiet;
mod replies;

use super::{
    PagerDuty, PagerDutyExporter,
    client::{Api, Verdict},
    config::{Config, Plan},
};
use crate::testing::{build_cx, records, request_of};
use lanner_engine::{
    prelude::*,
    testing::{LogBuilder, log, planning},
};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::Instant};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// 32 characters, as a routing key has.
const ROUTING_KEY: &str = "canarycanarycanarycanarycanary42";

type Script = Box<dyn Fn(usize, &Json) -> Verdict + Send + Sync>;

/// Answers by script, and keeps what it saw.
#[derive(Clone)]
struct Fake {
    calls: Arc<Mutex<Vec<(Instant, Json, Verdict)>>>,
    script: Arc<Script>,
}

#[async_trait]
impl Api for Fake {
    async fn call(&self, event: &Json) -> Verdict {
        let mut calls = self.calls.lock();
        let verdict = (self.script)(calls.len() + 1, event);
        calls.push((Instant::now(), event.clone(), verdict.clone()));
        verdict
    }
}

impl Fake {
    fn new(script: impl Fn(usize, &Json) -> Verdict + Send + Sync + 'static) -> Self {
        Self { calls: Arc::default(), script: Arc::new(Box::new(script)) }
    }

    fn willing() -> Self {
        Self::new(|_, _| Verdict::Accepted)
    }

    fn events(&self) -> Vec<Json> {
        self.calls.lock().iter().map(|(_, event, _)| event.clone()).collect()
    }

    fn times(&self) -> Vec<Instant> {
        self.calls.lock().iter().map(|(at, ..)| *at).collect()
    }

    /// Action and summary of what was accepted, in order.
    fn accepted(&self) -> Vec<String> {
        let calls = self.calls.lock();
        let accepted = calls.iter().filter(|(.., verdict)| *verdict == Verdict::Accepted);
        accepted.map(|(_, event, _)| told(event)).collect()
    }

    /// The alerts that PagerDuty shows as open, with the number of triggers.
    fn open(&self) -> BTreeMap<String, usize> {
        let mut open = BTreeMap::new();
        for (_, event, _) in self.calls.lock().iter().filter(|(.., verdict)| *verdict == Verdict::Accepted) {
            let key = event["dedup_key"].as_str().unwrap().to_owned();
            match event["event_action"].as_str().unwrap() {
                "trigger" => *open.entry(key).or_default() += 1,
                _ => drop(open.remove(&key)),
            }
        }
        open
    }
}

/// `trigger shell`, `resolve`.
fn told(event: &Json) -> String {
    let summary = event["payload"]["summary"].as_str().unwrap_or_default();
    format!("{} {summary}", event["event_action"].as_str().unwrap()).trim().to_owned()
}

fn config(more: Json) -> Json {
    let mut config = json!({"routing_key": ROUTING_KEY});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

fn plan(config: Json) -> (Option<Plan>, Vec<String>) {
    let config: Config = serde_json::from_value(config).unwrap();
    let (plan, found) = planning(|cx| PagerDuty::plan(config, cx));
    (
        plan,
        found.into_iter().map(|finding| format!("{} {}", finding.message, finding.help.unwrap_or_default())).collect(),
    )
}

/// An exporter that runs in front of `api`, until it is dropped.
struct Running {
    exporter: Arc<PagerDutyExporter>,
    cx: BuildCx,
    task: JoinHandle<Result<(), BoxError>>,
}

impl Running {
    async fn start(config: Json, api: &Fake) -> Self {
        Self::start_in(config, api, build_cx()).await
    }

    async fn start_in(config: Json, api: &Fake, cx: BuildCx) -> Self {
        let plan = plan(config).0.unwrap();
        let exporter = Arc::new(PagerDutyExporter::new(plan, Box::new(api.clone()), &cx).await.unwrap());
        let running = Arc::clone(&exporter);
        let task = tokio::spawn(async move { running.run(Drain::new()).await });
        Self { exporter, cx, task }
    }

    /// Exports on a task of its own, as the engine does.
    fn export(&self, records_of_one: impl IntoIterator<Item = LogBuilder>) -> JoinHandle<Outcome> {
        let (exporter, request) = (Arc::clone(&self.exporter), request(records_of_one));
        tokio::spawn(async move { exporter.export(&request).await })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn request(records_of_one: impl IntoIterator<Item = LogBuilder>) -> Request {
    let mut resource = Resource::default();
    resource.attrs.set("host.name", "node-1");
    request_of(records(resource, records_of_one))
}

fn alert(rule: &str, priority: Priority) -> LogBuilder {
    let record = log().event_name("falco.alert").attr("security_rule.name", rule).priority(priority);
    record.body(Value::text(rule.to_owned()))
}

fn incident(state: &str, id: &str) -> LogBuilder {
    let record = log().event_name("lanner.incident").attr("incident.id", id).attr("lanner.incident.state", state);
    record.priority(Priority::Error).body(Value::text(state.to_owned()))
}

fn later() -> Verdict {
    Verdict::Later { reason: "HTTP 503".into() }
}

fn limited(seconds: u64) -> Verdict {
    Verdict::Limited { wait: Some(Duration::from_secs(seconds)), reason: "HTTP 429".into() }
}
