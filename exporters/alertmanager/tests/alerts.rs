//! What alerts are made of.

use super::{alert, built, endpoints, exporter};
use crate::{
    alertmanager::{Alerts, alerts::DEFAULT_LABELS, alerts::is_label_name},
    testing::{Sink, alert_request, alerts, answer, build_cx, hostile},
};
use jiff::Timestamp;
use lanner_engine::prelude::*;
use serde_json::{Value as Json, json};

async fn posted(more: Json, sent: &[Json]) -> Vec<Json> {
    let sink = Sink::start(|_| answer(200, "")).await;
    let mut config = json!({"endpoints": endpoints(&[&sink])});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(exporter(config).await.export(&alert_request(sent)).await, Outcome::Delivered);
    let seen = sink.seen();
    assert!(seen.iter().all(|request| request.uri().path() == "/api/v2/alerts"));
    seen.iter().flat_map(|request| serde_json::from_slice::<Vec<Json>>(request.body()).unwrap()).collect()
}

/// Scenario: the defaults, for one alert.
/// Guarantee: exactly these labels and annotations; it begins when it happened and ends 15 minutes from now.
#[tokio::test]
async fn golden_alert() {
    let before = Timestamp::now();
    let alerts = posted(json!({}), &[alert("Shell", "bash")]).await;
    assert_eq!(alerts.len(), 1);
    let ends: Timestamp = alerts[0]["endsAt"].as_str().unwrap().parse().unwrap();
    let minutes = ends.duration_since(before).as_secs() / 60;
    assert!((14..=16).contains(&minutes), "{minutes}");
    assert_eq!(
        alerts[0],
        json!({
            "labels": {"alertname": "Shell", "severity": "critical", "priority": "critical", "source": "syscall",
                "namespace": "shop", "hostname": "node-1"},
            "annotations": {"summary": "Shell", "description": "bash was started", "tags": "T1059",
                "uid": alerts[0]["annotations"]["uid"], "proc_name": "bash", "proc_pid": "42", "k8s_ns_name": "shop",
                "k8s_pod_name": "web-1"},
            "startsAt": "2025-02-10T09:15:40.000000001Z", "endsAt": alerts[0]["endsAt"],
        })
    );
    assert_eq!(Alerts::default().labels.len(), DEFAULT_LABELS.len());
}

/// Scenario: labels added, removed and fixed, an annotation from a template, another severity, a link.
/// Guarantee: each is as configured; the defaults that were not named stay.
#[tokio::test]
async fn configured_alert() {
    let config = json!({
        "labels": {"pod": "k8s.pod.name", "hostname": ""}, "fixed_labels": {"team": "blue"},
        "annotations": {"runbook": "look at %k8s.pod.name"}, "field_annotations": false,
        "severities": {"critical": "page"}, "generator_url": "https://console.example/",
    });
    let alerts = posted(config, &[alert("Shell", "bash")]).await;
    let labels = json!({"alertname": "Shell", "severity": "page", "priority": "critical", "source": "syscall",
        "namespace": "shop", "pod": "web-1", "team": "blue"});
    assert_eq!((&alerts[0]["labels"], &alerts[0]["annotations"]["runbook"]), (&labels, &json!("look at web-1")));
    assert_eq!(alerts[0]["generatorURL"], "https://console.example/");
    assert!(alerts[0]["annotations"]["proc_name"].is_null());
}

/// Scenario: a thousand alerts of one rule that differ in their processes only, and one of another rule.
/// Guarantee: two alerts; the first has the newest annotations.
#[tokio::test]
async fn a_storm_is_one_alert() {
    let mut storm: Vec<Json> = (0..1000).map(|number| alert("Shell", &format!("sh{number}"))).collect();
    storm.push(alert("Other", "x"));
    let alerts = posted(json!({}), &storm).await;
    let found = alerts.iter().map(|a| (a["labels"]["alertname"].as_str(), a["annotations"]["proc_name"].as_str()));
    let found: Vec<_> = found.collect();
    assert_eq!(found, [(Some("Shell"), Some("sh999")), (Some("Other"), Some("x"))]);
}

/// Scenario: every real alert, and one with hostile values and field names (S11).
/// Guarantee: names of labels and annotations are valid, values bounded and on one line; values stay values.
#[tokio::test]
async fn alerts_are_valid_and_bounded() {
    let mut sent: Vec<Json> = alerts().into_iter().flatten().map(|(alert, _)| alert).collect();
    sent.push(hostile());
    for alert in posted(json!({}), &sent).await {
        let all = |key: &str| alert[key].as_object().unwrap().clone();
        assert!(all("labels").len() <= 8 && all("annotations").len() <= 52);
        for (name, value) in all("labels").into_iter().chain(all("annotations")) {
            assert!(is_label_name(&name), "{name}");
            let value = value.as_str().unwrap();
            assert!(
                !value.is_empty() && value.len() <= 2060 && !value.chars().any(char::is_control),
                "{name}: {value}"
            );
        }
        assert!(all("labels").values().all(|value| value.as_str().unwrap().len() <= 260));
    }
}

/// Scenario: an alert from a clock that is ahead.
/// Guarantee: it begins now, so that it is not over before it began.
#[tokio::test]
async fn an_alert_of_the_future_begins_now() {
    let mut ahead = alert("Shell", "bash");
    ahead["time"] = "2199-01-01T00:00:00Z".into();
    let alerts = posted(json!({}), &[ahead]).await;
    let time = |key: &str| alerts[0][key].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(time("startsAt") <= Timestamp::now() && time("startsAt") < time("endsAt"));
}

/// Scenario: more label sets than are remembered.
/// Guarantee: all are sent; those over the bound are counted and the table does not grow.
#[tokio::test]
async fn the_table_is_bounded() {
    use crate::alertmanager::table::{MAX_FIRING, Table};
    let cx = build_cx();
    let table = Table::new(&cx);
    let (one, now) = (alert("Shell", "bash"), Timestamp::now());
    let logs = alert_request(&[one]);
    let group = &logs.logs().unwrap().groups[0];
    let made = Alerts::default();
    let made = made.alert(lanner_conditions::Seen { resource: &group.resource, record: &group.records[0] }, now);
    for number in 0..MAX_FIRING + 5 {
        let mut alert = made.clone();
        alert.labels.insert("n".into(), number.to_string());
        table.fires(alert, now);
    }
    assert_eq!(table.firing(now).len(), MAX_FIRING);
    assert_eq!(crate::testing::counted(&cx, "lanner_alertmanager_untracked_alerts"), 5);
    assert!(table.firing(made.ends_at).is_empty());
    drop(built(json!({"endpoints": ["http://localhost:1"]}), &cx).await);
}
