//! The bodies of presets: one alert in full, every real alert and a hostile one against the limits of the sink.

use super::{answer, json_of, lines_of, numbered};
use crate::testing::{Sink, alert_request, alerts, hostile};
use lanner_engine::prelude::*;
use serde_json::{Value as Json, json};

/// What a preset posts for alerts: path, content type, body.
async fn posted(preset: &str, alerts: &[Json]) -> Vec<(String, String, Vec<u8>)> {
    let sink = Sink::start(|_| answer(200, r#"{"errors":false}"#)).await;
    let config = json!({"url": format!("http://{}", sink.address), "preset": preset, "token": "tok"});
    let exporter = super::exporter(config).await;
    assert_eq!(exporter.export(&alert_request(alerts)).await, Outcome::Delivered, "{preset}");
    let seen = sink.seen();
    seen.iter()
        .map(|request| {
            let content_type = request.headers()["content-type"].to_str().unwrap().to_owned();
            (request.uri().path().to_owned(), content_type, request.body().to_vec())
        })
        .collect()
}

async fn one(preset: &str) -> (String, Json) {
    let posts = posted(preset, &[numbered(1)]).await;
    assert_eq!(posts.len(), 1);
    let (path, content_type, body) = &posts[0];
    assert_eq!(content_type, "application/json");
    (path.clone(), json_of(body))
}

const UID: &str = "log.record.uid";

/// Scenario: one alert through each chat preset.
/// Guarantee: exactly this body.
#[tokio::test]
async fn golden_chat_bodies() {
    let facts = [
        ("priority", "Error"),
        ("source", "syscall"),
        ("hostname", "node-1"),
        ("tags", "T1059"),
        ("k8s.ns.name", "shop"),
        ("k8s.pod.name", "web-1"),
        ("proc.name", "bash"),
        ("proc.pid", "43"),
    ];
    let fields = |make: fn(&str, &str) -> Json| -> Vec<Json> { facts.iter().map(|(n, v)| make(n, v)).collect() };
    assert_eq!(
        one("discord").await.1,
        json!({
            "username": "Lanner", "allowed_mentions": {"parse": []}, "embeds": [{
                "title": "Shell", "description": "```\nshell number 1\n```", "color": 0xe20b0b,
                "timestamp": "2025-02-10T09:15:40.000000001Z",
                "fields": fields(|n, v| json!({"name": n, "value": format!("`{v}`"), "inline": true})),
            }],
        })
    );
    assert_eq!(
        one("mattermost").await.1,
        json!({
            "username": "Lanner", "attachments": [{
                "fallback": "`Shell: shell number 1`", "color": "#e20b0b", "title": "Shell",
                "text": "```\nshell number 1\n```", "footer": "2025-02-10T09:15:40.000000001Z",
                "fields": fields(|n, v| {
                    json!({"title": n.replace('_', "\\_"), "value": format!("`{v}`"), "short": true})
                }),
            }],
        })
    );
    let run = |name: &str, value: &str| {
        json!({"type": "RichTextBlock", "inlines": [
            {"type": "TextRun", "text": format!("{name}: "), "weight": "bolder"}, {"type": "TextRun", "text": value},
        ]})
    };
    let mut body = vec![
        json!({"type": "RichTextBlock", "inlines": [
            {"type": "TextRun", "text": "Shell", "weight": "bolder", "size": "large", "color": "attention"}]}),
        json!({"type": "RichTextBlock", "inlines": [
            {"type": "TextRun", "text": "shell number 1", "fontType": "monospace"}]}),
        run("time", "2025-02-10T09:15:40.000000001Z"),
    ];
    body.extend(facts.iter().map(|(name, value)| run(name, value)));
    assert_eq!(
        one("teams").await.1,
        json!({"type": "message", "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null,
            "content": {"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard",
                "version": "1.4", "msteams": {"width": "Full"}, "body": body},
        }]})
    );
}

/// Scenario: one alert through each preset for logs and calls.
/// Guarantee: exactly this body, on the sink's path.
#[tokio::test]
async fn golden_log_bodies() {
    let event = |more: Json| {
        let mut event = json!({
            "output": "shell number 1", "priority": "Error", "rule": "Shell",
            "time": "2025-02-10T09:15:40.000000001Z", "source": "syscall", "tags": ["T1059"], "hostname": "node-1",
            "output_fields": {"k8s.ns.name": "shop", "k8s.pod.name": "web-1", "proc.name": "bash", "proc.pid": 43},
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let (path, body) = one("opsgenie").await;
    assert_eq!(path, "/v2/alerts");
    assert_eq!(
        body,
        json!({
            "message": "Shell", "alias": "Shell//shop/web-1", "description": "shell number 1", "entity": "web-1",
            "source": "syscall", "priority": "P3", "tags": ["T1059"],
            "details": {"time": "2025-02-10T09:15:40.000000001Z", "hostname": "node-1", "k8s.ns.name": "shop",
                "k8s.pod.name": "web-1", "proc.name": "bash", "proc.pid": "43"},
        })
    );
    let (path, body) = one("datadog_logs").await;
    let mut expected = event(json!({
        "uuid": body[0]["uuid"], "message": "shell number 1", "ddsource": "falco", "service": "falco", "status": "error",
        "timestamp": 1_739_178_940_000_u64, "ddtags": "falco_tag:T1059",
    }));
    expected.as_object_mut().unwrap().remove("output");
    assert_eq!((path.as_str(), &body), ("/api/v2/logs", &json!([expected])));

    let (path, body) = one("splunk_hec").await;
    assert_eq!(path, "/services/collector/event");
    let expected = event(json!({"uuid": body["event"]["uuid"]}));
    assert_eq!(
        body,
        json!({"source": "lanner", "sourcetype": "falco", "time": 1_739_178_940.0, "host": "node-1", "event": expected})
    );
    let (path, body) = one("loki").await;
    assert_eq!(path, "/loki/api/v1/push");
    let entry = &body["streams"][0]["values"][0];
    let line: Json = serde_json::from_str(entry[1].as_str().unwrap()).unwrap();
    assert_eq!(line, event(json!({"uuid": line["uuid"]})));
    let uid = line["uuid"].as_str().unwrap().replace('-', "");
    assert_eq!(
        body,
        json!({"streams": [{
            "stream": {"service_name": "falco", "rule": "Shell", "priority": "Error", "source": "syscall",
                "k8s_ns_name": "shop"},
            "values": [["1739178940000000001", entry[1],
                {"hostname": "node-1", "k8s_pod_name": "web-1", "uid": uid, "tags": "T1059"}]],
        }]}),
        "{UID}"
    );
    let posts = posted("elasticsearch", &[numbered(1)]).await;
    let (path, content_type, body) = &posts[0];
    assert_eq!((path.as_str(), content_type.as_str()), ("/_bulk", "application/x-ndjson"));
    let lines = lines_of(body);
    let index = lines[0]["create"]["_index"].as_str().unwrap();
    assert!(index.starts_with("falco-20") && index.len() == "falco-2025.02.10".len(), "{index}");
    assert_eq!(lines[0]["create"]["_id"].as_str().unwrap(), uid);
    let time = "2025-02-10T09:15:40.000000001Z";
    assert_eq!(lines[1], event(json!({"uuid": line["uuid"], "@timestamp": time})));

    let (path, body) = one("alertmanager").await;
    assert_eq!((path.as_str(), &body[0]["labels"]["alertname"]), ("/api/v2/alerts", &json!("Shell")));
}

/// All text of a JSON value, names included.
fn texts(value: &Json, out: &mut Vec<String>) {
    match value {
        Json::String(text) => out.push(text.clone()),
        Json::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Json::Object(fields) => fields.iter().for_each(|(name, value)| {
            out.push(name.clone());
            texts(value, out);
        }),
        _ => {}
    }
}

fn units(value: &Json) -> usize {
    value.as_str().map_or(0, |text| text.encode_utf16().count())
}

/// Looks at the limits that the sink has; gives back the JSON values of the body.
fn check(preset: &str, body: &[u8]) -> Vec<Json> {
    match preset {
        "discord" => {
            let message = json_of(body);
            let embeds = message["embeds"].as_array().unwrap();
            assert!(embeds.len() <= 10 && message["allowed_mentions"] == json!({"parse": []}));
            let mut all = 0;
            for embed in embeds {
                let fields = embed["fields"].as_array().unwrap();
                assert!(units(&embed["title"]) <= 256 && units(&embed["description"]) <= 4096 && fields.len() <= 25);
                all += units(&embed["title"]) + units(&embed["description"]);
                for field in fields {
                    assert!((1..=256).contains(&units(&field["name"])) && (1..=1024).contains(&units(&field["value"])));
                    all += units(&field["name"]) + units(&field["value"]);
                }
            }
            assert!(all <= 6000, "{all}");
            vec![message]
        }
        "teams" => {
            assert!(body.len() <= 28_000, "{}", body.len());
            vec![json_of(body)]
        }
        "mattermost" => {
            assert!(String::from_utf8_lossy(body).chars().count() <= 16_383 + 4_000);
            vec![json_of(body)]
        }
        "opsgenie" => {
            let alert = json_of(body);
            let details = alert["details"].as_object().unwrap();
            let size: usize = details.iter().map(|(name, value)| name.encode_utf16().count() + units(value)).sum();
            assert!(size <= 8000 && (1..=130).contains(&units(&alert["message"])) && units(&alert["alias"]) <= 512);
            assert!(units(&alert["entity"]) <= 512 && units(&alert["source"]) <= 100);
            assert!(units(&alert["description"]) <= 15_000);
            let tags = alert["tags"].as_array().unwrap();
            assert!(tags.len() <= 20 && tags.iter().all(|tag| units(tag) <= 50));
            vec![alert]
        }
        "loki" => {
            let push = json_of(body);
            for stream in push["streams"].as_array().unwrap() {
                let labels = stream["stream"].as_object().unwrap();
                assert!(labels.len() <= 15 && labels.values().all(|value| value.as_str().unwrap().len() <= 2048));
                let entry = &stream["values"][0];
                assert!(
                    entry[0].as_str().unwrap().parse::<u64>().is_ok() && entry[1].as_str().unwrap().len() <= 256_000
                );
                assert!(serde_json::from_str::<Json>(entry[1].as_str().unwrap()).is_ok());
            }
            vec![push]
        }
        "elasticsearch" => {
            let lines = lines_of(body);
            assert!(body.ends_with(b"\n") && lines.len().is_multiple_of(2));
            for pair in lines.chunks(2) {
                assert_eq!(pair[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["create"]);
                assert!(pair[1]["@timestamp"].is_string());
            }
            lines
        }
        "splunk_hec" => {
            assert!(body.len() <= 1_000_000);
            lines_of(body)
        }
        "datadog_logs" => {
            let logs = json_of(body).as_array().unwrap().clone();
            assert!(logs.len() <= 1000 && body.len() <= 5_000_000);
            assert!(logs.iter().all(|log| log.to_string().len() <= 1_000_000));
            logs
        }
        "alertmanager" => json_of(body).as_array().unwrap().clone(),
        other => panic!("{other}"),
    }
}

const PRESETS: [&str; 9] = [
    "discord",
    "teams",
    "mattermost",
    "opsgenie",
    "loki",
    "elasticsearch",
    "splunk_hec",
    "datadog_logs",
    "alertmanager",
];

/// Scenario: every real alert, in one request, through every preset.
/// Guarantee: bodies keep the limits of the sink.
#[tokio::test]
async fn real_alerts_keep_the_limits() {
    let Some(real) = alerts() else { return };
    let sent: Vec<Json> = real.into_iter().map(|(alert, _)| alert).collect();
    for preset in PRESETS {
        for (_, _, body) in posted(preset, &sent).await {
            check(preset, &body);
        }
    }
}

/// Scenario: an alert of every trick, alone and between others, through every preset (S11).
/// Guarantee: the body is valid and within limits, no value became a name, and chats get no markup, mention or control
/// character to act on.
#[tokio::test]
async fn hostile_values_stay_data() {
    for preset in PRESETS {
        for (_, _, body) in posted(preset, &[numbered(1), hostile(), numbered(2)]).await {
            let values = check(preset, &body);
            let mut all = Vec::new();
            values.iter().for_each(|value| texts(value, &mut all));
            if matches!(preset, "discord" | "mattermost" | "teams" | "opsgenie") {
                for text in &all {
                    let inside = text.strip_prefix("```\n").and_then(|text| text.strip_suffix("\n```")).unwrap_or(text);
                    assert!(!inside.chars().any(|letter| letter.is_control() || letter == '\u{202e}'), "{text}");
                }
            }
            if matches!(preset, "discord" | "mattermost") {
                for text in all.iter().filter(|text| text.contains("evil.example")) {
                    // In code with no way out of it, or with its markup escaped.
                    let code = text.starts_with('`') && text.trim_matches('`').matches('`').count() == 0;
                    assert!(code || text.contains("\\[click\\]\\("), "{preset}: {text}");
                }
            }
        }
    }
}

/// Scenario: records that are no alerts and have nothing.
/// Guarantee: every preset has a body for them.
#[tokio::test]
async fn empty_records_have_a_body() {
    for preset in PRESETS {
        let sink = Sink::start(|_| answer(200, r#"{"errors":false}"#)).await;
        let config = json!({"url": format!("http://{}", sink.address), "preset": preset});
        let logs = Logs::one(Default::default(), Default::default(), LogRecord::default());
        let request = Request::new(Batch::logs(logs).to_otlp());
        assert_eq!(super::exporter(config).await.export(&request).await, Outcome::Delivered);
        let body = sink.seen()[0].body().clone();
        if preset != "elasticsearch" {
            check(preset, &body);
        }
    }
}
