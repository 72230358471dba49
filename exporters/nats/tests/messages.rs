//! What a stream holds afterwards.

use super::{NatsServer, alert, alerts, built, exporter, to};
use crate::{
    falco_event::FalcoEvent,
    testing::{alert_request, build_cx, counted, request_of},
};
use lanner_conditions::Seen;
use lanner_engine::{event::otlp::decode_logs, prelude::*, semantics::keys};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

fn uids(logs: &Logs) -> Vec<String> {
    logs.records().map(|record| record.attrs.get_str(&keys::UID).unwrap().to_owned()).collect()
}

/// Scenario: alerts as Falco's JSON, sent twice.
/// Guarantee: a message for each under the subject of its priority and rule, in order, with the event's id as its message id and
/// exactly the JSON of the event; the second time nothing more is stored, it counts as delivered, and the repetition is counted.
#[tokio::test]
async fn falco_json_is_a_message_for_each_event() {
    let Some(server) = NatsServer::start().await else { return };
    server.make_stream("FALCO", &["falco.>"], json!({})).await;
    let cx = build_cx();
    let exporter = built(to(&server, json!({"encoding": "falco_json"})), &cx).await;
    let sent = [alert("Terminal shell in container", 1), alert("Read/write *.> \u{1b}[2J ", 2), alert("Ä", 3)];
    for _ in 0..2 {
        assert_eq!(exporter.export(&alert_request(&sent)).await, Outcome::Delivered);
    }
    let request = alert_request(&sent);
    let logs = request.logs().unwrap();
    let stored = server.stored("FALCO").await;
    let subjects: Vec<&str> = stored.iter().map(|message| message.subject.as_str()).collect();
    assert_eq!(
        subjects,
        ["falco.critical.terminal_shell_in_container", "falco.critical.read_write_2j", "falco.critical.unknown"]
    );
    let ids: Vec<&str> = stored.iter().map(|message| message.header("Nats-Msg-Id").unwrap()).collect();
    assert_eq!(ids, uids(logs));
    for (message, record) in stored.iter().zip(logs.records()) {
        let seen = Seen { resource: &logs.groups[0].resource, record };
        assert_eq!(message.json(), Json::Object(FalcoEvent::of(seen).to_json()));
    }
    assert_eq!(stored[0].json()["output_fields"]["proc.pid"], 1);
    assert_eq!(counted(&cx, "lanner_nats_duplicates"), 3);
}

/// Scenario: a request of twenty alerts as OTLP to one subject, twice; then to a subject of each alert's own.
/// Guarantee: one message that is the request byte for byte, stored once; or one for each subject with that subject's records.
#[tokio::test]
async fn otlp_is_a_message_for_each_subject() {
    let Some(server) = NatsServer::start().await else { return };
    server.make_stream("ONE", &["one"], json!({})).await;
    server.make_stream("EACH", &["each.*"], json!({})).await;
    let request = alert_request(&alerts(20));
    let one = exporter(&server, json!({"subject": "one"})).await;
    for _ in 0..2 {
        assert_eq!(one.export(&alert_request(&alerts(20))).await, Outcome::Delivered);
    }
    let stored = server.stored("ONE").await;
    assert_eq!((stored.len(), &stored[0].data[..]), (1, &request.bytes()[..]));
    assert_eq!(stored[0].header("Nats-Msg-Id").unwrap().len(), 32);

    let sent: Vec<Json> = (0..20).map(|number| alert(["A", "B"][number % 2], number)).collect();
    let each = exporter(&server, json!({"subject": "each.{rule}"})).await;
    let request = alert_request(&sent);
    assert_eq!(each.export(&request).await, Outcome::Delivered);
    let stored = server.stored("EACH").await;
    assert_eq!(stored.iter().map(|message| message.subject.as_str()).collect::<Vec<_>>(), ["each.a", "each.b"]);
    let all = uids(request.logs().unwrap());
    for (at, message) in stored.iter().enumerate() {
        let logs = decode_logs(&message.data.clone().into()).unwrap();
        let expected: Vec<String> = all.iter().skip(at).step_by(2).cloned().collect();
        assert_eq!(uids(&logs), expected);
    }
}

/// Scenario: alerts as OTLP in JSON.
/// Guarantee: one message that holds them all under OTLP's names.
#[tokio::test]
async fn otlp_json_is_json() {
    let Some(server) = NatsServer::start().await else { return };
    server.make_stream("ONE", &["one"], json!({})).await;
    let exporter = exporter(&server, json!({"subject": "one", "encoding": "otlp_json"})).await;
    assert_eq!(exporter.export(&alert_request(&alerts(3))).await, Outcome::Delivered);
    let stored = server.stored("ONE").await;
    let records = &stored[0].json()["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
    assert_eq!((stored.len(), records.as_array().unwrap().len()), (1, 3));
    assert_eq!(records[0]["eventName"], "falco.alert");
}

/// Scenario: a request larger than the server takes, with one record that is too large alone.
/// Guarantee: it is stored in parts below the limit; only that record is rejected; nothing is stored twice.
#[tokio::test]
async fn max_payload_costs_only_the_large_record() {
    let Some(server) = NatsServer::start_with("max_payload: 16384").await else { return };
    server.make_stream("ONE", &["one"], json!({})).await;
    for encoding in ["otlp_proto", "otlp_json", "falco_json"] {
        let mut sent = alerts(60);
        // The mapping cuts long values, so it takes many to be large.
        let fields = (0..80).map(|at| (format!("x.f{at}"), Json::from(format!("{encoding}{}", "x".repeat(400)))));
        sent[17]["output_fields"].as_object_mut().unwrap().extend(fields);
        sent.iter_mut().for_each(|alert| alert["output"] = format!("{encoding} {}", alert["output"]).into());
        let request = alert_request(&sent);
        assert!(request.bytes().len() > 2 * 16384, "{}", request.bytes().len());
        let exporter = exporter(&server, json!({"subject": "one", "encoding": encoding})).await;
        let before = server.stored("ONE").await.len();
        let outcome = exporter.export(&request).await;
        assert!(
            matches!(&outcome, Outcome::Partial { rejected: 1, reason } if reason.contains("16384")),
            "{outcome:?}"
        );
        let stored = server.stored("ONE").await;
        let text = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
        let texts: Vec<String> = stored[before..].iter().map(|message| text(&message.data)).collect();
        let times = |number: usize| -> usize {
            let output = format!("{encoding} \"shell {number}\"");
            let escaped = output.replace('"', "\\\"");
            texts.iter().map(|text| text.matches(&output).count() + text.matches(&escaped).count()).sum()
        };
        let seen: BTreeSet<usize> = (0..60).filter(|number| times(*number) > 0).collect();
        let expected: BTreeSet<usize> = (0..60).filter(|number| *number != 17).collect();
        assert_eq!(seen, expected, "{encoding}");
        assert!(stored.iter().all(|message| message.data.len() <= 16384));
    }
}

/// Scenario: a stream that takes only small messages, and one that is full and keeps its oldest.
/// Guarantee: a request is halved for the first; for the second it is tried again, and stored once there is room.
#[tokio::test]
async fn limits_of_the_stream_are_told_apart() {
    let Some(server) = NatsServer::start().await else { return };
    server.make_stream("SMALL", &["small"], json!({"max_msg_size": 4096})).await;
    let small = exporter(&server, json!({"subject": "small"})).await;
    assert_eq!(small.export(&alert_request(&alerts(40))).await, Outcome::Delivered);
    let stored = server.stored("SMALL").await;
    assert!(stored.len() > 1);
    let records: usize = stored.iter().map(|message| decode_logs(&message.data.clone().into()).unwrap().len()).sum();
    assert_eq!(records, 40);

    server.make_stream("FULL", &["full"], json!({"max_msgs": 1, "discard": "new"})).await;
    let full = exporter(&server, json!({"subject": "full"})).await;
    assert_eq!(full.export(&alert_request(&[alert("A", 1)])).await, Outcome::Delivered);
    let second = alert_request(&[alert("A", 2)]);
    let outcome = full.export(&second).await;
    assert!(matches!(&outcome, Outcome::Retry { reason, .. } if reason.contains("maximum messages")), "{outcome:?}");
    super::server::ask(&server.client().await, "STREAM.PURGE.FULL", &json!({})).await;
    assert_eq!(full.export(&second).await, Outcome::Delivered);
}

/// Scenario: equal records without an id, and records whose id is hostile.
/// Guarantee: the first have no message id, so both are stored; the others have one that is safe in a header and differs.
#[tokio::test]
async fn records_without_an_id_are_never_taken_for_another() {
    let Some(server) = NatsServer::start().await else { return };
    server.make_stream("ONE", &["one"], json!({})).await;
    let exporter = exporter(&server, json!({"subject": "one", "encoding": "falco_json"})).await;
    let record = |uid: Option<&str>| {
        let mut record = LogRecord { body: Value::text("same"), ..LogRecord::default() };
        uid.into_iter().for_each(|uid| record.attrs.set(keys::UID.clone(), Value::text(uid)));
        record
    };
    let mut logs = Logs::default();
    let resource = std::sync::Arc::<Resource>::default();
    for uid in [None, None, Some("a\r\nX-Evil: 1"), Some("a\nX-Evil: 1")] {
        logs.push(std::sync::Arc::clone(&resource), Default::default(), record(uid));
    }
    assert_eq!(exporter.export(&request_of(logs)).await, Outcome::Delivered);
    let stored = server.stored("ONE").await;
    assert_eq!(stored.len(), 4);
    assert_eq!((stored[0].header("Nats-Msg-Id"), stored[1].header("Nats-Msg-Id")), (None, None));
    assert!(stored.iter().all(|message| !message.headers.contains("Evil")));
    assert_ne!(stored[2].header("Nats-Msg-Id"), stored[3].header("Nats-Msg-Id"));
}
