//! The bodies of presets for one alert, in full.

use super::{json_of, lines_of, numbered, posted};
use serde_json::{Value as Json, json};

async fn one(preset: &str) -> (String, Json) {
    let posts = posted(preset, &[numbered(1)]).await;
    assert_eq!(posts.len(), 1);
    let (path, content_type, body) = &posts[0];
    assert_eq!(content_type, "application/json");
    (path.clone(), json_of(body))
}

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
        }]})
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
