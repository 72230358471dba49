mod failures;
mod messages;
mod plans;

#[path = "../../../tests/support/kafka_cluster.rs"]
mod kafka_cluster;

use super::{check::Plan, config::Config};
use crate::testing::build_cx;
use kafka_cluster::{Cluster, Received};
use lanner_engine::{component::Outcome, prelude::*, testing::planning};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// Longer than anything takes that is not broken.
const SOON: Duration = Duration::from_secs(60);

/// The checked configuration with these keys.
fn plan(cluster: &Cluster, mut keys: Json) -> Plan {
    keys["brokers"] = json!(cluster.brokers.split(',').collect::<Vec<_>>());
    let config: Config = serde_json::from_value(keys).unwrap();
    let (plan, findings) = planning(|cx| config.check(cx));
    plan.unwrap_or_else(|| panic!("{findings:?}"))
}

/// An exporter that sends there.
async fn exporter(cluster: &Cluster, keys: Json) -> Box<dyn Exporter> {
    build(plan(cluster, keys)).await
}

async fn build(plan: Plan) -> Box<dyn Exporter> {
    Box::new(plan).build(&build_cx()).await.unwrap()
}

/// One attempt, which must end.
async fn export(exporter: &dyn Exporter, request: &Request) -> Outcome {
    tokio::time::timeout(SOON, exporter.export(request)).await.expect("an attempt ends")
}

/// Attempts until one is no retry, as the engine would make them.
async fn deliver(exporter: &dyn Exporter, request: &Request) -> Outcome {
    let attempts = async {
        loop {
            match exporter.export(request).await {
                Outcome::Retry { .. } => {}
                outcome => return outcome,
            }
        }
    };
    tokio::time::timeout(SOON, attempts).await.expect("it is delivered in the end")
}

/// The records of OTLP messages, message after message.
fn decoded(messages: &[Received]) -> Vec<LogRecord> {
    let logs = messages.iter().map(|message| {
        lanner_engine::event::otlp::decode_logs(&message.value.clone().into()).unwrap().records().cloned().collect()
    });
    logs.collect::<Vec<Vec<_>>>().concat()
}
