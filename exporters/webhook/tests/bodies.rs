//! Falco's JSON: event, array, lines, the kept original.

use super::{json_of, lines_of, numbered, to};
use crate::testing::{Sink, alert_request, hostile};
use lanner_engine::prelude::*;
use serde_json::json;

/// Scenario: the default, for two alerts.
/// Guarantee: a request for each, in order, in the shape that falcosidekick forwards, with a key for repetitions.
#[tokio::test]
async fn each_event_is_a_request() {
    let sink = Sink::start(|_| super::answer(200, "ok")).await;
    let exporter = super::exporter(to(&sink, json!({}))).await;
    assert_eq!(exporter.export(&alert_request(&[numbered(1), numbered(2)])).await, Outcome::Delivered);
    let seen = sink.seen();
    assert_eq!(seen.len(), 2);
    let event = json_of(seen[0].body());
    assert_eq!(
        event,
        json!({
            "uuid": event["uuid"], "output": "shell number 1", "priority": "Error", "rule": "Shell",
            "time": "2025-02-10T09:15:40.000000001Z", "source": "syscall", "tags": ["T1059"], "hostname": "node-1",
            "output_fields": {"k8s.ns.name": "shop", "k8s.pod.name": "web-1", "proc.name": "bash", "proc.pid": 43},
        })
    );
    assert_eq!(event["uuid"].as_str().unwrap().len(), 36);
    assert_eq!((seen[0].method().as_str(), seen[0].uri().path()), ("POST", "/hook"));
    assert_eq!(seen[0].headers()["content-type"], "application/json");
    assert_ne!(seen[0].headers()["idempotency-key"], seen[1].headers()["idempotency-key"]);
    assert_eq!(json_of(seen[1].body())["output"], "shell number 2");
}

/// Scenario: array and lines, with a hostile alert among others (S11).
/// Guarantee: one request; every event is whole, on its line, with the hostile values as they are.
#[tokio::test]
async fn several_events_in_a_body() {
    for (batch, content_type) in [("array", "application/json"), ("ndjson", "application/x-ndjson")] {
        let sink = Sink::start(|_| super::answer(204, "")).await;
        let config = to(&sink, json!({"batch": batch, "method": "PUT", "compression": "none"}));
        let exporter = super::exporter(config).await;
        let request = alert_request(&[numbered(1), hostile(), numbered(2)]);
        assert_eq!(exporter.export(&request).await, Outcome::Delivered);
        let seen = sink.seen();
        assert_eq!((seen.len(), seen[0].method().as_str()), (1, "PUT"));
        assert_eq!(seen[0].headers()["content-type"], content_type);
        let events = match batch {
            "array" => json_of(seen[0].body()).as_array().unwrap().clone(),
            _ => lines_of(seen[0].body()),
        };
        assert_eq!(events.len(), 3);
        let sent = hostile();
        assert_eq!((&events[1]["output"], &events[1]["rule"]), (&sent["output"], &sent["rule"]));
        for field in ["proc.name", "huge", "fd.num"] {
            assert_eq!(events[1]["output_fields"][field], sent["output_fields"][field], "{field}");
        }
    }
}

/// Scenario: alerts with their own text kept, whole and cut; `original` set or not.
/// Guarantee: the text is sent when asked for and whole, on one line; otherwise JSON made from the record.
#[tokio::test]
async fn the_kept_original_is_sent_when_asked_for() {
    let record = |original: &str| {
        let record =
            lanner_engine::testing::log().event_name("falco.alert").body("b").attr("log.record.original", original);
        Logs::one(Default::default(), Default::default(), record.build())
    };
    for (original, text, expected) in [
        (true, "{\"own\":\n 1}", json!({"own": 1})),
        (true, "{\"own\":", json!("b")),
        (false, "{\"own\": 1}", json!("b")),
    ] {
        let sink = Sink::start(|_| super::answer(200, "")).await;
        let exporter = super::exporter(to(&sink, json!({"original": original, "batch": "ndjson"}))).await;
        let request = Request::new(Batch::logs(record(text)).to_otlp());
        assert_eq!(exporter.export(&request).await, Outcome::Delivered);
        let lines = lines_of(sink.seen()[0].body());
        assert_eq!(lines.len(), 1);
        assert_eq!(if lines[0]["own"].is_null() { lines[0]["output"].clone() } else { lines[0].clone() }, expected);
    }
}
