//! `log.record.uid`: stable, and different where it must be.

use super::*;

fn uid(body: &str) -> String {
    text(&one(body).1.attrs, "log.record.uid").expect("every alert has an id").to_owned()
}

/// Scenario: the same alert again, reordered, forwarded by falcosidekick (uuid added, zeros trimmed, plural source).
/// Guarantee: one id, pinned here, because stored events are deduplicated by it.
#[test]
fn retries_and_forwarding_keep_the_id() {
    let body = alert(r#""proc.pid":1"#);
    assert_eq!(uid(&body), "ee394f166756e456347176ab292961c5");
    assert_eq!(uid(&alert("")), uid(&body), "fields count only without output and message");
    let forwarded = r#"{"uuid":"4f2c","time":"2025-06-01T02:00:00.000000001+02:00","source":"syscalls","tags":["shell"],"rule":"A rule","Priority":"notice","output":"12:00:00.0: Notice something","hostname":"node-1","output_fields":{}}"#;
    assert_eq!(uid(forwarded), uid(&body));
}

/// Scenario: alerts that differ in one identifying part.
/// Guarantee: other ids, even for a nanosecond.
#[test]
fn each_part_counts() {
    let body = alert("");
    let mut ids = vec![uid(&body)];
    for (from, to) in [
        ("000000001Z", "000000002Z"),
        ("node-1", "node-2"),
        ("A rule", "B rule"),
        ("\"Notice\"", "\"Error\""),
        ("something", "nothing"),
        ("syscall", "k8s_audit"),
    ] {
        let changed = body.replacen(from, to, 1);
        assert_ne!(changed, body, "{from}");
        ids.push(uid(&changed));
    }
    let total = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), total);
}

/// Scenario: alerts without output and message.
/// Guarantee: the output fields decide, whatever their order; the source's own number text counts; pinned.
#[test]
fn output_fields_stand_in_for_a_missing_output() {
    let of =
        |fields: &str| uid(&format!(r#"{{"rule":"r","time":"2025-06-01T00:00:00Z","output_fields":{{{fields}}}}}"#));
    assert_eq!(of(r#""a":1,"b":"x","c":null"#), "7214775259ce40f289fcddb7ff109612");
    assert_eq!(of(r#""a":1,"b":"x""#), of(r#""b":"\u0078","a":1"#));
    assert_ne!(of(r#""a":1"#), of(r#""a":"1""#));
    assert_ne!(of(r#""a":1"#), of(r#""a":1.0"#));
}
