use super::*;
use crate::{
    alert_view::AlertView,
    pagerduty::event::{EVENT_LIMIT, SUMMARY, dedup_key},
    testing::{data, falco, hostile_each},
};

/// The event that a configuration makes of the first record, and its key.
fn event(more: Json, logs: &Logs) -> Json {
    let plan = plan(config(more)).0.unwrap();
    let group = &logs.groups[0];
    let view = AlertView { resource: &group.resource, record: &group.records[0] };
    let key = dedup_key(plan.dedup_by.as_ref(), view);
    plan.look.trigger(&key, &group.resource, &group.records[0], 1)
}

const ALERT: &str = r#"{"hostname":"node-1","output":"A shell was spawned","priority":"Critical","rule":"Terminal shell",
    "source":"syscall","tags":["container","T1059"],"time":"2026-11-22T10:00:00.123Z","output_fields":{"proc.name":"bash",
    "proc.pid":7,"container.id":"0123456789ab","container.name":"cart","k8s.ns.name":"shop","k8s.pod.name":"cart-1"}}"#;

/// Scenario: an alert of Falco, with links and a dashboard.
/// Guarantee: this is what PagerDuty gets.
#[test]
fn golden_event() {
    let logs = falco(ALERT);
    let links = json!([{"href": "https://wiki.example/shell", "text": "Runbook"}]);
    let event = event(json!({"links": links, "client_url": "https://grafana.example"}), &logs);
    let uid = logs.groups[0].records[0].attrs.get_str(&"log.record.uid".into()).unwrap();
    assert_eq!(
        event,
        json!({
            "routing_key": ROUTING_KEY, "event_action": "trigger", "dedup_key": event["dedup_key"],
            "client": "Lanner", "client_url": "https://grafana.example", "links": links,
            "payload": {
                "summary": "A shell was spawned", "source": "node-1", "severity": "critical", "class": "Terminal shell",
                "component": "cart-1", "group": "shop", "timestamp": "2026-11-22T10:00:00.123Z",
                "custom_details": {
                    "rule": "Terminal shell", "priority": "Critical", "source": "syscall", "hostname": "node-1",
                    "tags": "container, T1059", "output": "A shell was spawned", "log.record.uid": uid,
                    "container.id": "0123456789ab", "container.name": "cart", "k8s.ns.name": "shop",
                    "k8s.pod.name": "cart-1", "proc.name": "bash", "proc.pid": "7",
                },
            },
        })
    );
    let chosen = event_of_fields(&logs);
    assert_eq!(chosen["payload"]["summary"], "bash in cart-1");
    assert!(chosen["payload"]["custom_details"].get("proc.pid").is_none());
}

fn event_of_fields(logs: &Logs) -> Json {
    event(json!({"summary": "%proc.name in %k8s.pod.name", "fields": ["proc.name"]}), logs)
}

/// Scenario: what falcosidekick's own test expects of its event for an alert.
/// Guarantee: the same summary, time and details, and a severity that is the alert's.
#[test]
fn details_are_those_of_falcosidekick() {
    let Some(cases) = data::lines("expected_outputs.jsonl") else { return };
    let cases = cases.iter().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let mut seen = 0;
    for case in cases.filter(|case| case["output"] == "pagerduty") {
        let payload = &event(json!({}), &falco(&case["event"].to_string()))["payload"];
        let expected = &case["expected"]["payload"];
        assert_eq!((&payload["summary"], &payload["timestamp"]), (&expected["summary"], &expected["timestamp"]));
        for (name, value) in expected["custom_details"].as_object().unwrap() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            assert_eq!(payload["custom_details"][name], text, "{name}");
        }
        assert_eq!(payload["severity"], "info");
        seen += 1;
    }
    assert!(seen > 0);
}

/// Scenario: each priority.
/// Guarantee: PagerDuty's word for it is the one of the mapping.
#[test]
fn severities() {
    let words = Priority::ALL.map(|priority| crate::pagerduty::event::severity(Some(priority)));
    assert_eq!(words, ["info", "info", "info", "warning", "error", "critical", "critical", "critical"]);
}

/// Scenario: the same rule in the same pod, in another pod, on another host, another rule; with an incident; other fields.
/// Guarantee: what belongs together has one key, what does not has another, in every run; no key is over the limit.
#[test]
fn keys_tell_alerts_apart() {
    let key = |more: Json, edit: &[(&str, &str)]| {
        let mut alert: Json = serde_json::from_str(ALERT).unwrap();
        for (name, value) in edit {
            match *name {
                "rule" | "output" | "hostname" => alert[*name] = json!(value),
                _ => alert["output_fields"][*name] = json!(value),
            }
        }
        let key = event(more, &falco(&alert.to_string()))["dedup_key"].as_str().unwrap().to_owned();
        assert!(key.len() <= 255);
        key
    };
    let plain = key(json!({}), &[]);
    assert_eq!(plain, key(json!({}), &[("output", "Another shell"), ("proc.name", "sh"), ("hostname", "node-2")]));
    assert_ne!(plain, key(json!({}), &[("rule", "Escape")]));
    assert_ne!(plain, key(json!({}), &[("container.id", "ba9876543210")]));
    assert_eq!(plain, "lanner-".to_owned() + &plain[7..]);
    let by_process = || json!({"dedup_by": ["proc.name"]});
    assert_eq!(key(by_process(), &[]), key(by_process(), &[("rule", "Escape"), ("container.id", "x")]));
    assert_ne!(key(by_process(), &[]), key(by_process(), &[("proc.name", "sh")]));
    let of = |record: LogBuilder| {
        let logs = records(Resource::default(), [record]);
        event(json!({}), &logs)["dedup_key"].clone()
    };
    let with_incident = |rule: &str, id: &str| of(alert(rule, Priority::Error).attr("incident.id", id));
    assert_eq!(with_incident("a", "I1"), with_incident("b", "I1"));
    assert_ne!(with_incident("a", "I1"), with_incident("a", "I2"));
    assert_eq!(with_incident("a", "I1"), of(incident("closed", "I1")));
}

/// Scenario: every sample alert, 500 hostile ones (S11), summaries of 1024 and 1025 characters with emoji at the cut, and an
/// alert with 128 fields of 4096 bytes that encode to six times as much (X5).
/// Guarantee: at most 500 KB and 1024 characters; what is cut ends in an ellipsis; what is left out is counted; one line, and
/// no control characters.
#[test]
fn x5_events_keep_the_limits() {
    let mut alerts = hostile_each();
    alerts.extend(data::lines("dev/falco_alerts.jsonl").unwrap_or_default());
    let mut all: Vec<Logs> = alerts.iter().map(|alert| falco(alert)).collect();
    for (summary, is_cut) in
        [("a".repeat(1024), false), ("a".repeat(1025), true), ("👨\u{200d}👩\u{200d}👧".repeat(300), true)]
    {
        let logs = records(Resource::default(), [log().body(Value::text(summary.clone()))]);
        let event = event(json!({}), &logs);
        let told = event["payload"]["summary"].as_str().unwrap();
        assert_eq!((told.ends_with('…'), told == summary), (is_cut, !is_cut));
        all.push(logs);
    }
    let mut large = log();
    for field in 0..128 {
        large = large.attr(&format!("field{field}"), Value::text("\u{1}\"".repeat(2048)));
    }
    let large = records(Resource::default(), [large]);
    let note = event(json!({}), &large)["payload"]["custom_details"]["left out"].as_str().unwrap().to_owned();
    assert!(note.ends_with("fields did not fit"), "{note}");
    all.push(large);
    for logs in &all {
        let event = event(json!({}), logs);
        let bytes = event.to_string().len();
        assert!(bytes <= EVENT_LIMIT, "{bytes}");
        let payload = &event["payload"];
        assert!(payload["summary"].as_str().unwrap().encode_utf16().count() <= SUMMARY);
        for name in ["summary", "source", "class", "severity"] {
            let text = payload[name].as_str().unwrap();
            assert!(
                !text.is_empty() && !text.chars().any(|letter| letter.is_control() || letter == '\u{202e}'),
                "{text}"
            );
        }
        assert_eq!(serde_json::from_str::<Json>(&event.to_string()).unwrap(), event);
    }
}
