mod alerts;
mod peers;
mod plans;
mod real;
#[path = "../../../tests/support/alertmanager.rs"]
mod server;

use super::{
    Alertmanager,
    config::{Config, Plan},
};
use crate::testing::{Sink, build_cx, port};
use lanner_engine::{prelude::*, testing::planning};
use serde_json::{Value as Json, json};

/// What the plan phase made of a configuration, and what it said.
fn planned(config: Json) -> (Option<Plan>, Vec<String>) {
    let config: Config = serde_json::from_value(config).unwrap();
    let (plan, findings) = planning(|cx| Alertmanager::plan(config, cx));
    let said = findings.into_iter().map(|finding| format!("{} {}", finding.message, finding.help.unwrap_or_default()));
    (plan, said.collect())
}

async fn built(config: Json, cx: &BuildCx) -> Box<dyn Exporter> {
    let (plan, said) = planned(config);
    let plan = plan.unwrap_or_else(|| panic!("{said:?}"));
    Box::new(plan).build(cx).await.unwrap()
}

async fn exporter(config: Json) -> Box<dyn Exporter> {
    built(config, &build_cx()).await
}

fn endpoints(sinks: &[&Sink]) -> Json {
    sinks.iter().map(|sink| format!("http://{}", sink.address)).collect()
}

/// An alert of this rule that a test can tell by its process.
fn alert(rule: &str, process: &str) -> Json {
    json!({
        "hostname": "node-1", "output": format!("{process} was started"), "priority": "Critical", "rule": rule,
        "source": "syscall", "time": "2025-02-10T09:15:40.000000001Z", "tags": ["T1059"],
        "output_fields": {"proc.name": process, "proc.pid": 42, "k8s.ns.name": "shop", "k8s.pod.name": "web-1"},
    })
}
