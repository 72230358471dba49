//! The real Alertmanager: what is sent is shown, ends, and comes back after its restart.

use super::{alert, exporter, server::AlertmanagerServer};
use crate::testing::{alert_request, hostile};
use lanner_engine::prelude::*;
use serde_json::{Value as Json, json};
use std::sync::Arc;

fn has(alerts: &[Json], rule: &str) -> bool {
    alerts.iter().any(|alert| alert["labels"]["alertname"] == rule)
}

/// Scenario: alerts, a hostile one among them, with a short life; then a restart, which forgets everything.
/// Guarantee: all are active with their labels and annotations; after the restart they are active again without a new event;
/// without another one they end.
#[tokio::test]
async fn alerts_appear_survive_a_restart_and_end() {
    let Some(mut server) = AlertmanagerServer::start().await else { return };
    let config = json!({
        "endpoints": [format!("http://{}", server.address)], "resend_interval": "1s", "resolve_after": "25s",
    });
    let exporter: Arc<dyn Exporter> = exporter(config).await.into();
    let drain = Drain::new();
    let running = tokio::spawn({
        let (exporter, drain) = (Arc::clone(&exporter), drain.clone());
        async move { exporter.run(drain).await }
    });
    let sent = alert_request(&[alert("Shell", "bash"), alert("Other", "x"), hostile()]);
    assert_eq!(exporter.export(&sent).await, Outcome::Delivered);
    let active = server.alerts("three alerts", |alerts| alerts.len() == 3).await;
    let shell = active.iter().find(|alert| alert["labels"]["alertname"] == "Shell").unwrap();
    assert_eq!((&shell["labels"]["namespace"], &shell["annotations"]["proc_name"]), (&json!("shop"), &json!("bash")));
    assert_eq!(shell["status"]["state"], "active");

    server.restart().await;
    server.alerts("the alerts after its restart", |alerts| has(alerts, "Shell") && has(alerts, "Other")).await;
    server.alerts("no alerts any more", <[Json]>::is_empty).await;
    drain.request();
    running.await.unwrap().unwrap();
}

/// Scenario: the server is away at first.
/// Guarantee: the request is to be tried again, and is delivered once the server is back.
#[tokio::test]
async fn a_request_waits_for_the_server() {
    let Some(mut server) = AlertmanagerServer::start().await else { return };
    let exporter = exporter(json!({"endpoints": [format!("http://{}", server.address)]})).await;
    server.stop().await;
    let request = alert_request(&[alert("Shell", "bash")]);
    assert!(matches!(exporter.export(&request).await, Outcome::Retry { .. }));
    server.restart().await;
    assert_eq!(exporter.export(&request).await, Outcome::Delivered);
    server.alerts("the alert", |alerts| has(alerts, "Shell")).await;
}
