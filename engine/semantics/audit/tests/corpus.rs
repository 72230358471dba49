//! Real events of the shared data folder; skipped where it is absent.

use super::*;
use crate::semantics::data;
use std::fmt::Write as _;

/// What the mapping makes of every event of the sample data.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/semantics/audit/tests/corpus.golden");
/// Longer values are shown by their hash.
const SHOWN: usize = 24;

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" ")),
        Value::Int(number) => return format!("{number}i"),
        Value::Double(number) => return format!("{number}d"),
        Value::Bool(flag) => return flag.to_string(),
        value => value.as_str().unwrap_or("?").to_owned(),
    };
    let hash = || format!("#{}", &blake3::hash(text.as_bytes()).to_hex()[..8]);
    if text.len() > SHOWN || text.contains(['\n', ' ']) && !text.starts_with('[') { hash() } else { text }
}

/// An event in two lines: number, severity, time, body, oddities; then the attributes, `~` for `k8s.audit.event.`.
fn entry(number: usize, mapped: &Mapped) -> String {
    let record = &mapped.record;
    let mut out = String::new();
    let degraded: Vec<_> = mapped.degraded.iter().map(|(reason, _)| reason).collect();
    let _ = writeln!(
        out,
        "{number} {} {} {:?} {degraded:?} {:?}",
        record.severity_number.0,
        record.time_unix_nano,
        mapped.plain,
        record.body.as_str().unwrap_or("?")
    );
    let attrs = record
        .attrs
        .iter()
        .map(|(key, value)| format!("{}={}", key.as_str().replacen("k8s.audit.event.", "~", 1), shown(value)));
    let _ = writeln!(out, "  {}", attrs.collect::<Vec<_>>().join(" "));
    out
}

/// Scenario: every event of the sample data; the mapping changed.
/// Guarantee: severity, time, body, id and every attribute with its type are those of the golden file, until it is written
/// anew with `LANNER_BLESS=1`; the file has one entry for each event that the index of the data lists.
#[test]
fn every_event_maps_as_reviewed() {
    let Some(lines) = data::lines("dev/k8s_audit_events.jsonl") else { return };
    let page: String = lines.iter().enumerate().map(|(index, line)| entry(index + 1, &mapped(line))).collect();
    if std::env::var_os("LANNER_BLESS").is_some() {
        std::fs::write(GOLDEN, &page).expect("the golden file is written");
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    for (now, before) in page.lines().zip(golden.lines()) {
        assert_eq!(now, before, "the mapping has changed; when it should have, run this test with LANNER_BLESS=1");
    }
    assert_eq!(page.lines().count(), golden.lines().count());
    let index = data::lines("dev/k8s_audit_events.index.jsonl").expect("the index is beside the data");
    let numbers: Vec<u64> = index
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["line"].as_u64().expect("a number"))
        .collect();
    assert_eq!(numbers, (1..=lines.len() as u64).collect::<Vec<_>>());
    assert_eq!(page.lines().count(), 2 * numbers.len());
}

/// Scenario: malformed events that were seen in the wild.
/// Guarantee: no panic, each kept, as a plain record unless it is an event.
#[test]
fn malformed_events_are_kept() {
    for line in data::lines("malformed/k8s_audit.jsonl").unwrap_or_default() {
        let case: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let mapped = mapped(case["raw"].as_str().expect("raw"));
        assert_eq!(mapped.plain.is_none(), is_audit(&mapped.record), "{}", case["id"]);
        assert!(mapped.record.attrs.contains(&keys::UID), "{}", case["id"]);
        let id = case["id"].as_str().unwrap_or_default();
        match id {
            "M069" => assert_eq!(mapped.plain, Some(reasons::NOT_EVENT)),
            "M072" => assert_eq!(mapped.degraded.get(reasons::FOREIGN_API_VERSION), 1),
            _ => {}
        }
    }
}

/// Scenario: events that real API servers sent.
/// Guarantee: each is an audit event whose attributes say what its JSON says; ids differ unless the lines are equal.
#[test]
fn real_events_map() {
    let Some(lines) = data::lines("dev/k8s_audit_events.jsonl") else { return };
    let mut ids = std::collections::BTreeMap::new();
    for line in &lines {
        let mapped = mapped(line);
        assert_eq!(mapped.plain, None, "{line}");
        assert!(is_audit(&mapped.record), "{line}");
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        let said =
            |pointer: &str| json.pointer(pointer).and_then(|value| value.as_str()).filter(|text| !text.is_empty());
        for (name, pointer) in [
            ("k8s.audit.event.id", "/auditID"),
            ("k8s.audit.event.stage", "/stage"),
            ("k8s.audit.event.level", "/level"),
            ("k8s.audit.event.request.verb", "/verb"),
            ("k8s.user.username", "/user/username"),
            ("k8s.audit.event.impersonated_user.username", "/impersonatedUser/username"),
            ("client.address", "/sourceIPs/0"),
            ("k8s.audit.event.object_ref.resource", "/objectRef/resource"),
            ("k8s.audit.event.object_ref.name", "/objectRef/name"),
            ("k8s.namespace.name", "/objectRef/namespace"),
        ] {
            assert_eq!(text(&mapped, name), said(pointer), "{name}: {line}");
        }
        let code = json.pointer("/responseStatus/code").and_then(|code| code.as_i64());
        assert_eq!(get(&mapped, "http.response.status_code").and_then(Value::as_int), code);
        let id = text(&mapped, "log.record.uid").unwrap().to_owned();
        if let Some(other) = ids.insert(id, line) {
            assert_eq!(other, line);
        }
    }
    if let Some(first) = lines.first() {
        let first = mapped(first);
        assert_eq!(first.record.time_unix_nano, 1_540_475_929_736_141_000);
        assert_eq!(first.record.body.as_str(), Some("system:anonymous create namespaces foo 201"));
    }
}
