//! What messages become.

use super::{fill, items, receiver, server, taken, texts, until};
use crate::testing::data;
use lanner_engine::{
    prelude::*,
    semantics::{FalcoMapper, MappingOptions, keys, scope},
    testing::log,
};
use serde_json::{Value as Json, json};

fn uids<'r>(records: impl IntoIterator<Item = &'r LogRecord>) -> Vec<String> {
    records.into_iter().map(|record| record.attrs.get_str(&keys::UID).unwrap_or_default().to_owned()).collect()
}

/// Scenario: OTLP requests in protobuf, of one record and of three, and an empty one.
/// Guarantee: the records arrive as they were sent; every message is acknowledged.
#[tokio::test]
async fn otlp_goes_through() {
    let Some(server) = server().await else { return };
    let request = |texts: &[&str]| {
        let mut logs = Logs::default();
        for text in texts {
            logs.push(Default::default(), Default::default(), LogRecord { body: Value::text(*text), ..log().into() });
        }
        Batch::logs(logs).to_otlp().bytes.to_vec()
    };
    fill(&server, [request(&["a"]), Vec::new(), request(&["b", "c", "d"])]).await;
    let mut running = receiver(&server, json!({})).await;
    items(&running, 4).await;
    until(&server, "all are acknowledged", |info| super::is_settled(info, 3)).await;
    let mut decoded = Vec::new();
    for mut batch in running.capture.batches() {
        batch.decode().unwrap();
        decoded.extend(batch.records().map(|record| record.body.clone()));
    }
    assert_eq!(decoded, ["a", "b", "c", "d"].map(Value::text));
    running.stop().await;
}

/// Scenario: an OTLP request in JSON.
/// Guarantee: it becomes the same records.
#[tokio::test]
async fn otlp_json_goes_through() {
    let Some(server) = server().await else { return };
    let record = json!({"timeUnixNano": "7", "body": {"stringValue": "hello"}});
    let request = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]});
    fill(&server, [request.to_string()]).await;
    let mut running = receiver(&server, json!({"encoding": "otlp_json"})).await;
    items(&running, 1).await;
    let mut batch = running.capture.batches().remove(0);
    batch.decode().unwrap();
    let record = batch.records().next().unwrap();
    assert_eq!((record.time_unix_nano, record.body.as_str()), (7, Some("hello")));
    running.stop().await;
}

/// Scenario: the real alerts, a message each.
/// Guarantee: each becomes the record that it would become over HTTP, with the same id, in order.
#[tokio::test]
async fn alerts_are_mapped() {
    let Some(lines) = data::lines("dev/falco_alerts.jsonl") else { return };
    let Some(server) = server().await else { return };
    let mut expected = Logs::default();
    for line in &lines {
        let mapper = FalcoMapper::new(&MappingOptions::default());
        mapper.map_body(&line.as_str().into(), 1, &scope("lanner.receiver.falco"), &mut expected);
    }
    fill(&server, lines.iter().map(String::as_str)).await;
    let mut running = receiver(&server, json!({"encoding": "falco_json"})).await;
    items(&running, lines.len()).await;
    assert_eq!(uids(&running.capture.records()), uids(expected.records()));
    running.stop().await;
}

/// Scenario: an EventList with two audit events.
/// Guarantee: two records.
#[tokio::test]
async fn audit_events_are_split() {
    let Some(server) = server().await else { return };
    let event = |id: &str| json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": id, "stage": "ResponseComplete", "verb": "get"});
    let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [event("1"), event("2")]});
    fill(&server, [list.to_string()]).await;
    let mut running = receiver(&server, json!({"encoding": "k8s_audit"})).await;
    items(&running, 2).await;
    let names: Vec<_> = running.capture.records().iter().map(|record| record.event_name.to_string()).collect();
    assert_eq!(names, ["k8s.audit.event"; 2]);
    running.stop().await;
}

/// Scenario: equal texts, one subject of two filtered; the same messages read by another consumer.
/// Guarantee: a record each with an id of its own, the same for both consumers; the other subject is left out.
#[tokio::test]
async fn texts_have_ids_of_their_place() {
    let Some(server) = server().await else { return };
    fill(&server, ["same", "same"]).await;
    super::publish(&server.client().await, "falco.other", "other").await;
    let mut seen = Vec::new();
    for consumer in ["one", "two"] {
        let config: Json = json!({"encoding": "text", "consumer": consumer, "filter_subject": "falco.test"});
        let mut running = receiver(&server, config).await;
        items(&running, 2).await;
        assert_eq!(taken(&running), ["same", "same"]);
        seen.push(uids(&running.capture.records()));
        running.stop().await;
    }
    assert!(seen[0] == seen[1] && seen[0][0] != seen[0][1], "{seen:?}");
}

/// Scenario: more messages than a fetch.
/// Guarantee: all arrive, in order, once.
#[tokio::test]
async fn many_fetches_are_made() {
    let Some(server) = server().await else { return };
    fill(&server, texts(0..100)).await;
    let mut running = receiver(&server, json!({"encoding": "text", "max_messages": 7})).await;
    items(&running, 100).await;
    assert_eq!(taken(&running), texts(0..100));
    until(&server, "all are acknowledged", |info| super::is_settled(info, 100)).await;
    running.stop().await;
}
