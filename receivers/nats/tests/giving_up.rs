//! Messages that cannot be used.

use super::{fill, items, receiver, server, taken, until};
use crate::conformance::alert;
use lanner_engine::{prelude::*, testing::Mood};
use lanner_proto::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, ArrayValue, any_value::Value as Held},
    logs::v1::{LogRecord as ProtoRecord, ResourceLogs, ScopeLogs},
};
use prost::Message;
use serde_json::json;

/// Scenario: between good alerts there are messages that are none, hostile ones among them; dead letters have a subject.
/// Guarantee: the good ones arrive; each of the others is counted, published there with its reason and place, and settled, so
/// that it never comes again.
#[tokio::test]
async fn poison_becomes_a_dead_letter() {
    let Some(server) = server().await else { return };
    server.make_stream("DEAD", &["dead.>"], json!({})).await;
    let bad = ["no alert", "{\"rule\":", "\u{1b}[2J\r\nX: y"];
    let good = |number| alert("a shell", number);
    fill(&server, [&good(1), bad[0], &good(2), bad[1], bad[2], &good(3)]).await;
    let config = json!({"encoding": "falco_json", "dead_letter_subject": "dead.falco"});
    let mut running = receiver(&server, config).await;
    items(&running, 3).await;
    until(&server, "all are settled", |info| super::is_settled(info, 6)).await;
    assert_eq!(running.capture.failed().into_iter().collect::<Vec<_>>(), [("not_an_alert", 3)]);
    assert_eq!(running.metric("lanner.nats.dead_letters", ""), 3);
    let dead = server.stored("DEAD").await;
    let payloads: Vec<&[u8]> = dead.iter().map(|letter| &letter.data[..]).collect();
    assert_eq!(payloads, bad.map(str::as_bytes));
    let headers = ["Lanner-Reason", "Lanner-Stream", "Lanner-Subject", "Lanner-Sequence", "Nats-Msg-Id"];
    assert_eq!(
        headers.map(|name| dead[1].header(name).unwrap()),
        ["not_an_alert", "FALCO", "falco.test", "4", "FALCO.4"]
    );
    running.stop().await;
}

/// Scenario: the subject for dead letters has no stream at first.
/// Guarantee: a message that cannot be used is neither counted nor settled until its dead letter is stored.
#[tokio::test]
async fn a_dead_letter_is_waited_for() {
    let Some(server) = server().await else { return };
    fill(&server, ["no alert"]).await;
    let config = json!({"encoding": "falco_json", "dead_letter_subject": "dead.falco"});
    let mut running = receiver(&server, config).await;
    // It was given back, and is under way until it comes again.
    until(&server, "it was delivered", |info| info["delivered"]["consumer_seq"].as_u64() >= Some(1)).await;
    assert_eq!(running.capture.failed(), Default::default());
    server.make_stream("DEAD", &["dead.>"], json!({})).await;
    super::eventually("it is counted", || running.capture.failed().get("not_an_alert") == Some(&1)).await;
    until(&server, "it is settled", |info| super::is_settled(info, 1)).await;
    assert_eq!(server.stored("DEAD").await.len(), 1);
    running.stop().await;
}

/// Scenario: `max_deliver` is 2 and the pipelines are full every time; and with room, a message that came before.
/// Guarantee: after two deliveries it is given up and counted as such; without a limit nothing ever is (see `pressure`).
#[tokio::test]
async fn max_deliver_gives_up() {
    let Some(server) = server().await else { return };
    let config = json!({"encoding": "text", "hold": "10ms", "max_deliver": 2});
    let mut running = receiver(&server, config).await;
    running.capture.set(Mood::Busy);
    fill(&server, ["one"]).await;
    super::eventually("it is given up", || running.capture.failed().get("max_deliver") == Some(&1)).await;
    until(&server, "it is settled", |info| super::is_settled(info, 1)).await;
    running.capture.set(Mood::Taking);
    fill(&server, ["two"]).await;
    items(&running, 1).await;
    assert_eq!(taken(&running), ["two"]);
    running.stop().await;
}

/// Scenario: a component behind looks at records; of several OTLP messages one has a record that cannot be read, one nothing else,
/// and one is no OTLP at all.
/// Guarantee: every readable record arrives once; what cannot be read is counted; all messages are settled.
#[tokio::test]
async fn unreadable_records_cost_only_themselves() {
    let Some(server) = server().await else { return };
    let body = |text: &str| AnyValue { value: Some(Held::StringValue(text.into())) };
    let deep = (0..70).fold(AnyValue::default(), |inner, _| AnyValue {
        value: Some(Held::ArrayValue(ArrayValue { values: vec![inner] })),
    });
    let request = |bodies: Vec<AnyValue>| {
        let record = |body| ProtoRecord { body: Some(body), ..Default::default() };
        let log_records = bodies.into_iter().map(record).collect();
        let scope_logs = vec![ScopeLogs { log_records, ..Default::default() }];
        ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] }
            .encode_to_vec()
    };
    let messages = [
        request(vec![body("a")]),
        request(vec![body("b"), deep.clone(), body("c")]),
        vec![0xff; 9],
        request(vec![deep]),
        request(vec![body("d")]),
    ];
    fill(&server, messages).await;
    let mut running = receiver(&server, json!({})).await;
    running.capture.set(Mood::Reading);
    items(&running, 4).await;
    until(&server, "all are settled", |info| super::is_settled(info, 5)).await;
    let failed: Vec<(&str, u64)> = running.capture.failed().into_iter().collect();
    assert_eq!(failed, [("invalid", 1), ("malformed", 2)]);
    let mut texts = Vec::new();
    for mut batch in running.capture.batches() {
        batch.decode().unwrap();
        texts.extend(batch.records().map(|record| record.body.clone()));
    }
    assert_eq!(texts, ["a", "b", "c", "d"].map(Value::text));
    running.stop().await;
}
