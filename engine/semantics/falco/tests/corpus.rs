//! Real events of the shared data folder; skipped where it is absent.

use super::*;
use crate::semantics::data;

fn lines(file: &str) -> Vec<String> {
    data::lines(file).unwrap_or_default()
}

/// Scenario: alerts that real systems wrote.
/// Guarantee: each is an alert or Falco's own message, with rule, severity, time and id; ids differ unless host, rule,
/// priority, time and output are equal; together they are the same as one by one.
#[test]
fn real_alerts_map() {
    let lines = lines("dev/falco_alerts.jsonl");
    let mut ids = std::collections::BTreeMap::new();
    for line in &lines {
        let (_, record, summary) = one(line);
        assert_eq!(summary.plain.total(), 0, "{line}");
        assert!(record.severity_number.0 > 0, "{line}");
        assert!(record.time_unix_nano > 900_000_000_000_000_000, "{line}");
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(text(&record.attrs, "security_rule.name"), value["rule"].as_str());
        assert_eq!(record.body.as_str(), value["message"].as_str().or(value["output"].as_str()));
        let id = text(&record.attrs, "log.record.uid").expect("id").to_owned();
        // What makes an alert the same alert; the sample data has snapshots that differ in output fields alone.
        let same = |key: &str| value[key].as_str().unwrap_or_default().to_lowercase();
        let identity = ["hostname", "rule", "priority", "time", "output"].map(same);
        if let Some(other) = ids.insert(id, identity.clone()) {
            assert_eq!(other, identity);
        }
    }
    let (logs, summary) = map(&lines.join("\n"));
    assert_eq!(logs.len(), lines.len());
    assert_eq!(summary.plain.total(), 0);
}

/// Scenario: alerts that real systems wrote, each as a body of its own.
/// Guarantee: every one is encoded without a record in between ([`map_with`] compares the two).
#[test]
fn real_alerts_are_encoded_at_once() {
    let mapper = FalcoMapper::new(&MappingOptions::default());
    let scope = EncodedScope::of(&scope("lanner.receiver.falco"));
    for line in lines("dev/falco_alerts.jsonl") {
        assert!(mapper.encode_body(&line, NOW, &scope).is_some(), "{line}");
        map(&line);
    }
}

/// Scenario: some of those alerts in detail.
/// Guarantee: the attributes that the mapping promises.
#[test]
fn real_alerts_in_detail() {
    let lines = lines("dev/falco_alerts.jsonl");
    if lines.is_empty() {
        return;
    }
    let find = |part: &str| one(lines.iter().find(|line| line.contains(part)).expect(part));
    let (resource, record, _) = find("1610667584834631763");
    assert_eq!(record.time_unix_nano, 1_610_667_584_834_631_763);
    assert_eq!(text(&resource.attrs, "container.id"), Some("5892b41bcf46"));
    assert_eq!(text(&resource.attrs, "k8s.pod.name"), Some("alpine"));
    assert_eq!(text(&record.attrs, "process.command_line"), Some("sh"));
    assert_eq!(get(&record.attrs, "falco.proc.tty"), Some(&Value::Int(34817)));
    assert_eq!(get(&record.attrs, "falco.user.login_id"), None);
    assert_eq!(get(&record.attrs, "falco.process.parent.name"), None);
    assert_eq!(text(&record.attrs, "falco.source"), Some("syscall"));
    let (_, record, _) = find("1739179786302906000");
    assert_eq!(text(&record.attrs, "k8s.user.username"), Some("kubernetes-admin"));
    assert_eq!(text(&record.attrs, "k8s.audit.event.object_ref.subresource"), Some("exec"));
    assert_eq!(text(&record.attrs, "falco.output_fields.ka.uri.param[command]"), Some("cat"));
    assert_eq!(texts(&record.attrs, "threat.technique.id"), ["T1609"]);
    let (_, record, _) = find("maturity_stable");
    assert_eq!(text(&record.attrs, "falco.rule.maturity"), Some("stable"));
    assert_eq!(texts(&record.attrs, "threat.technique.id"), ["T1555"]);
}

/// Scenario: odd and broken shapes seen in the wild.
/// Guarantee: no panic, each kept; none of these is beyond use as an alert.
#[test]
fn malformed_alerts_are_kept() {
    for line in lines("malformed/falco.jsonl") {
        let case: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let raw = case["raw"].as_str().expect("raw");
        let (_, _, summary) = one(raw);
        assert_eq!(summary.alerts + summary.internal, 1, "{}: {summary:?}", case["note"]);
        let id = case["id"].as_str().unwrap_or_default();
        let expected: &[&str] = match id {
            "M011" | "M027" => &[reasons::MISSING_TIME, reasons::NO_TIME],
            "M013" | "M022" => &[reasons::BAD_TIME, reasons::NO_TIME],
            "M015" => &[reasons::BAD_TIME, reasons::TIME_FORM],
            "M016" | "M017" => &[reasons::TIME_FORM, reasons::NUMERIC_PRIORITY],
            _ => &[],
        };
        for reason in expected {
            assert_eq!(summary.degraded.get(reason), 1, "{id} {reason}: {summary:?}");
        }
    }
}
