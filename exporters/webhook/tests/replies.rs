//! Presets whose answers tell records apart.

use super::{answer, json_of, lines_of, numbered};
use crate::testing::{Sink, alert_request};
use lanner_engine::prelude::*;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use std::sync::Arc;

async fn exporter(sink: &Sink, preset: &str) -> Box<dyn Exporter> {
    super::exporter(json!({"url": format!("http://{}", sink.address), "preset": preset, "token": "tok"})).await
}

fn alerts(count: usize) -> Vec<Json> {
    (0..count).map(numbered).collect()
}

/// Scenario: a bulk reply with a created, an existing, a refused and two overloaded documents; then all is well.
/// Guarantee: only the overloaded ones are sent again; one is rejected with the sink's words; ids are the events' own.
#[tokio::test]
async fn elasticsearch_items_are_settled_one_by_one() {
    let calls = Arc::<Mutex<Vec<usize>>>::default();
    let counts = Arc::clone(&calls);
    let sink = Sink::start(move |request| {
        let documents = lines_of(request.body()).len() / 2;
        counts.lock().push(documents);
        let reply = match documents {
            5 => json!({"errors": true, "items": [
                {"create": {"status": 201}}, {"create": {"status": 409, "error": {"type": "version_conflict"}}},
                {"create": {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": "no"}}},
                {"create": {"status": 429}}, {"create": {"status": 503}}]}),
            _ => json!({"errors": false}),
        };
        answer(200, &reply.to_string())
    })
    .await;
    let exporter = exporter(&sink, "elasticsearch").await;
    let request = alert_request(&alerts(5));
    assert!(matches!(exporter.export(&request).await, Outcome::Retry { .. }));
    let reason = "item status 400: mapper_parsing_exception: no".to_owned();
    assert_eq!(exporter.export(&request).await, Outcome::Partial { rejected: 1, reason });
    assert_eq!(*calls.lock(), [5, 2]);
    let seen = sink.seen();
    assert_eq!(seen[0].uri().path(), "/_bulk");
    assert_eq!(seen[0].headers()["authorization"], "ApiKey tok");
    let lines = lines_of(seen[1].body());
    assert_eq!((&lines[1]["output"], &lines[3]["output"]), (&json!("shell number 3"), &json!("shell number 4")));
    assert_eq!(lines[0]["create"]["_id"], lines[1]["uuid"].as_str().unwrap().replace('-', ""));
}

/// Scenario: bulk replies of 200 that cannot be read, or tell about another number of documents.
/// Guarantee: all is sent again, which the ids make harmless.
#[tokio::test]
async fn elasticsearch_replies_that_cannot_be_read() {
    for reply in ["", "ok", r#"{"errors":true,"items":[]}"#, r#"{"errors":true,"items":[{"create":{"status":201}}]}"#] {
        let sink = Sink::start(move |_| answer(200, reply)).await;
        let outcome = exporter(&sink, "elasticsearch").await.export(&alert_request(&alerts(2))).await;
        assert!(matches!(outcome, Outcome::Retry { .. }), "{reply}: {outcome:?}");
    }
}

/// Scenario: sinks that refuse a body of several events by 400 or 422, without a word about which; then one event alone.
/// Guarantee: the events stay open, for the engine to halve; the one alone is settled. What another body had stays delivered.
#[tokio::test]
async fn a_refused_body_is_left_to_the_engine() {
    let shapes = [
        json!({"batch": "array"}),
        json!({"batch": "ndjson"}),
        json!({"preset": "loki"}),
        json!({"preset": "alertmanager"}),
        json!({"preset": "datadog_logs"}),
        json!({"preset": "elasticsearch"}),
        json!({"preset": "splunk_hec"}),
    ];
    for shape in shapes {
        let sink = Sink::start(|request| {
            let bad = String::from_utf8_lossy(request.body()).contains("shell number 6");
            answer(if bad { 422 } else { 200 }, "entry too far behind")
        })
        .await;
        let exporter = super::exporter(super::to(&sink, shape.clone())).await;
        let reason = "HTTP 422 Unprocessable Entity: entry too far behind".to_owned();
        let request = alert_request(&alerts(9));
        let refused = Outcome::Reject { reason: reason.clone() };
        assert_eq!(exporter.export(&request).await, refused, "{shape}");
        assert_eq!(request.progress().open(), (0..9).collect::<Vec<_>>(), "{shape}");
        assert_eq!(sink.seen().len(), 1);
        let alone = alert_request(&[numbered(6)]);
        assert_eq!(exporter.export(&alone).await, refused, "{shape}");
        assert_eq!(alone.progress().open(), [0_usize; 0], "{shape}");
    }
    let sink = Sink::start(|request| {
        let bad = String::from_utf8_lossy(request.body()).contains("shell number 1006");
        answer(if bad { 400 } else { 200 }, "no")
    })
    .await;
    let exporter = super::exporter(super::to(&sink, json!({"batch": "array"}))).await;
    let request = alert_request(&alerts(2100));
    assert!(matches!(exporter.export(&request).await, Outcome::Reject { .. }));
    assert_eq!(request.progress().open(), (1000..2000).collect::<Vec<_>>(), "1000 events are a body");
    assert_eq!(sink.seen().len(), 3);
}

/// Scenario: a body of several events is answered with a status about us: 401, 404, a redirect; and with 403.
/// Guarantee: nothing is sent a second time, since halving would not help; 403 may be a firewall's word about one event.
#[tokio::test]
async fn what_is_about_us_is_not_halved() {
    for status in [401, 404, 302, 403] {
        let sink = Sink::start(move |_| answer(status, "no")).await;
        let exporter = super::exporter(super::to(&sink, json!({"batch": "array"}))).await;
        let outcome = exporter.export(&alert_request(&alerts(3))).await;
        assert_eq!(matches!(outcome, Outcome::Refuse { .. }), status != 403, "{status}: {outcome:?}");
        assert_eq!(matches!(outcome, Outcome::Reject { .. }), status == 403, "{status}: {outcome:?}");
        assert_eq!(sink.seen().len(), 1);
    }
}

/// Scenario: Splunk names the number of the event that it could not read; then takes the rest.
/// Guarantee: those in front are not sent again, that one is rejected, those behind follow at once.
#[tokio::test]
async fn splunk_names_the_bad_event() {
    let sink = Sink::start(|request| {
        let outputs: Vec<Json> = lines_of(request.body()).iter().map(|line| line["event"]["output"].clone()).collect();
        match outputs.iter().position(|output| output == "shell number 2") {
            Some(at) => answer(400, &json!({"text": "Invalid", "code": 6, "invalid-event-number": at}).to_string()),
            None => answer(200, r#"{"text":"Success","code":0}"#),
        }
    })
    .await;
    let outcome = exporter(&sink, "splunk_hec").await.export(&alert_request(&alerts(5))).await;
    assert!(matches!(outcome, Outcome::Partial { rejected: 1, .. }), "{outcome:?}");
    let sizes: Vec<usize> = sink.seen().iter().map(|seen| lines_of(seen.body()).len()).collect();
    assert_eq!(sizes, [5, 2]);
    assert_eq!(sink.seen()[0].headers()["authorization"], "Splunk tok");
}

/// Scenario: more events than a body of the preset may have.
/// Guarantee: several bodies, each within the limit, all events in order.
#[tokio::test]
async fn bodies_keep_the_limits() {
    let sink = Sink::start(|_| answer(202, "")).await;
    let outcome = exporter(&sink, "datadog_logs").await.export(&alert_request(&alerts(2100))).await;
    assert_eq!(outcome, Outcome::Delivered);
    let bodies: Vec<Json> = sink.seen().iter().map(|seen| json_of(seen.body())).collect();
    let sizes: Vec<usize> = bodies.iter().map(|body| body.as_array().unwrap().len()).collect();
    assert_eq!(sizes, [1000, 1000, 100]);
    assert_eq!(bodies[2][99]["message"], "shell number 2099");
    assert_eq!(sink.seen()[0].headers()["dd-api-key"], "tok");
}
