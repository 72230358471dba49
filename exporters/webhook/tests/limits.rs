//! The bodies of presets for every real alert, for a hostile one and for a record with nothing, against the limits of the sink.

use super::{json_of, lines_of, numbered, posted};
use crate::testing::{Sink, alerts, answer, hostile};
use lanner_engine::prelude::*;
use serde_json::{Value as Json, json};

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
