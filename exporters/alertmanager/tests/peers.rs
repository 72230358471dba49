//! Several Alertmanagers, some of them away, refusing or overloaded.

use super::{alert, built, endpoints, exporter};
use crate::testing::{Sink, Stuck, alert_request, answer, build_cx, counted};
use lanner_engine::prelude::*;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use std::{sync::Arc, time::Duration};

fn names(sink: &Sink) -> Vec<String> {
    let bodies = sink.seen();
    let alerts = bodies.iter().flat_map(|request| serde_json::from_slice::<Vec<Json>>(request.body()).unwrap());
    alerts.map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
}

/// Scenario: an HA pair, both up; then one of them is away (X6).
/// Guarantee: both get everything; what one has is delivered, and the other's failures are counted.
#[tokio::test]
async fn x6_every_peer_gets_everything() {
    let (a, b) = (Sink::start(|_| answer(200, "")).await, Sink::start(|_| answer(200, "")).await);
    let cx = build_cx();
    let pair = built(json!({"endpoints": endpoints(&[&a, &b])}), &cx).await;
    assert_eq!(pair.export(&alert_request(&[alert("A", "x"), alert("B", "x")])).await, Outcome::Delivered);
    assert_eq!((names(&a), names(&b)), (vec!["A".to_owned(), "B".into()], vec!["A".to_owned(), "B".into()]));
    b.stop().await;
    assert_eq!(pair.export(&alert_request(&[alert("C", "x")])).await, Outcome::Delivered);
    assert_eq!(names(&a), ["A", "B", "C"]);
    let counts =
        ["lanner_alertmanager_sent_alerts", "lanner_alertmanager_failed_alerts"].map(|name| counted(&cx, name));
    assert_eq!(counts, [5, 1]);
}

/// Scenario: all peers are away or overloaded; one says when to come back.
/// Guarantee: the request is to be tried again.
#[tokio::test]
async fn without_any_peer_it_is_tried_again() {
    let stuck = Stuck::start().await;
    let busy = Sink::start(|_| {
        let mut answer = answer(503, "starting");
        answer.headers_mut().insert("retry-after", 3.into());
        answer
    })
    .await;
    let config = json!({"endpoints": [format!("http://{}", busy.address), format!("http://{}", stuck.address)]});
    let outcome = exporter(config).await.export(&alert_request(&[alert("A", "x")])).await;
    let reason = "HTTP 503 Service Unavailable: starting".to_owned();
    assert_eq!(outcome, Outcome::Retry { after: Some(Duration::from_secs(3)), reason });
}

/// Scenario: one alert of fifty is refused with 400 by both peers (X6).
/// Guarantee: the other 49 are delivered, that one is rejected; it ends after a bounded number of requests.
#[tokio::test]
async fn x6_one_bad_alert_takes_nobody_along() {
    let script = |request: &http::Request<bytes::Bytes>| {
        let bad = String::from_utf8_lossy(request.body()).contains("Rule-17\"");
        answer(if bad { 400 } else { 200 }, "invalid label set")
    };
    let (a, b) = (Sink::start(script).await, Sink::start(script).await);
    let pair = exporter(json!({"endpoints": endpoints(&[&a, &b])})).await;
    let alerts: Vec<Json> = (0..50).map(|number| alert(&format!("Rule-{number}"), "x")).collect();
    let outcome = pair.export(&alert_request(&alerts)).await;
    let reason = "HTTP 400 Bad Request: invalid label set".to_owned();
    assert_eq!(outcome, Outcome::Partial { rejected: 1, reason });
    assert!(a.seen().len() <= 13, "{}", a.seen().len());
}

/// Scenario: an alert is delivered to a peer that then loses its memory; paused time goes on.
/// Guarantee: it is sent again at each interval with the same labels and end, until it has ended.
#[tokio::test]
async fn x6_what_fires_is_sent_again() {
    let seen = Arc::<Mutex<Vec<Json>>>::default();
    let keep = Arc::clone(&seen);
    let sink = Sink::start(move |request| {
        keep.lock().extend(serde_json::from_slice::<Vec<Json>>(request.body()).unwrap());
        answer(200, "")
    })
    .await;
    let config = json!({"endpoints": endpoints(&[&sink]), "resend_interval": "1s", "resolve_after": "60s"});
    let exporter: Arc<dyn Exporter> = exporter(config).await.into();
    assert_eq!(exporter.export(&alert_request(&[alert("A", "x")])).await, Outcome::Delivered);
    let drain = Drain::new();
    let running = tokio::spawn({
        let (exporter, drain) = (Arc::clone(&exporter), drain.clone());
        async move { exporter.run(drain).await }
    });
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    while seen.lock().len() < 3 {
        assert!(tokio::time::Instant::now() < end, "nothing was sent again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drain.request();
    running.await.unwrap().unwrap();
    let seen = seen.lock().clone();
    assert!(seen.iter().all(|alert| *alert == seen[0]), "{seen:?}");
}
