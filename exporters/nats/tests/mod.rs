mod connection;
mod messages;
mod plans;
#[path = "../../../tests/support/nats.rs"]
mod server;
mod subjects;
mod x7;

use super::{Nats, Plan, config::Config};
use crate::testing::{build_cx, port};
use lanner_engine::{prelude::*, testing::planning};
use serde_json::{Value as Json, json};
use server::NatsServer;

/// What the plan phase made of a configuration, and what it said.
fn planned(config: Json) -> (Option<Plan>, Vec<String>) {
    let config: Config = serde_json::from_value(config).unwrap();
    let (plan, findings) = planning(|cx| Nats::plan(config, cx));
    let said = findings.into_iter().map(|finding| format!("{} {}", finding.message, finding.help.unwrap_or_default()));
    (plan, said.collect())
}

async fn built(config: Json, cx: &BuildCx) -> Box<dyn Exporter> {
    let (plan, said) = planned(config);
    let plan = plan.unwrap_or_else(|| panic!("{said:?}"));
    Box::new(plan).build(cx).await.unwrap()
}

/// An exporter to `server`, with these further keys.
async fn exporter(server: &NatsServer, more: Json) -> Box<dyn Exporter> {
    built(to(server, more), &build_cx()).await
}

fn to(server: &NatsServer, more: Json) -> Json {
    let mut config = json!({"servers": [server.url()]});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

/// An alert of this rule that a test can tell by its number.
fn alert(rule: &str, number: usize) -> Json {
    json!({
        "output": format!("shell {number}"), "priority": "Critical", "rule": rule, "source": "syscall", "hostname": "node-1",
        "time": format!("2026-11-22T10:00:00.{number:09}Z"), "tags": ["shell"],
        "output_fields": {"proc.name": "bash", "proc.pid": number, "k8s.ns.name": "kube-system"},
    })
}

fn alerts(count: usize) -> Vec<Json> {
    (0..count).map(|number| alert("Terminal shell", number)).collect()
}
