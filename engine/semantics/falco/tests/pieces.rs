//! The splitter: which pieces a body has.

use super::*;
use proptest::prelude::*;

const SMALL: &str = r#"{"rule":"r","output":"o"}"#;

/// Scenario: the forms in which senders put several alerts into one body.
/// Guarantee: each alert is found, whatever stands between.
#[test]
fn all_forms_of_several_alerts() {
    for body in [
        format!("{SMALL}\n{SMALL}\n"),
        format!("[{SMALL},\n {SMALL}]"),
        format!("{SMALL}{SMALL}"),
        format!("{SMALL}, {SMALL},"),
        format!("\u{feff}[{SMALL}]\r\n[{SMALL}]"),
    ] {
        let (_, summary) = map(&body);
        assert_eq!((summary.alerts, summary.plain.total()), (2, 0), "{body}");
    }
    for body in ["", " \n\r\n", "[]", "\u{feff}"] {
        assert_eq!(map(body).1.records(), 0, "{body:?}");
    }
}

/// Scenario: text, broken JSON and other JSON among alerts.
/// Guarantee: each is one plain record with its text, counted by reason; the alerts around it are found.
#[test]
fn what_is_no_alert_stays_as_text() {
    let deep = format!("{{\"rule\":\"r\",\"x\":{}{}}}", "[".repeat(100), "]".repeat(100));
    let deep_fields = format!("{{\"rule\":\"r\",\"output_fields\":{{\"x\":{}{}}}}}", "[".repeat(100), "]".repeat(100));
    for (text, reason) in [
        ("plain text, with {braces}", reasons::NOT_JSON),
        (r#"{"rule":"cut"#, reasons::NOT_JSON),
        ("[2025-06-01T00:00:00] a log line", reasons::NOT_JSON),
        ("17", reasons::NOT_OBJECT),
        ("[1, 2]", reasons::NOT_OBJECT),
        ("null", reasons::NOT_OBJECT),
        ("{}", reasons::NOT_ALERT),
        (r#"{"level":"info","msg":"started"}"#, reasons::NOT_ALERT),
        (&deep_fields, reasons::TOO_DEEP),
    ] {
        let (logs, summary) = map(&format!("{SMALL}\n{text}\n{SMALL}"));
        assert_eq!(
            (summary.alerts, summary.plain.get(reason), summary.plain.total()),
            (2, 1, 1),
            "{text}: {summary:?}"
        );
        let plain: Vec<_> = logs.records().filter(|record| record.event_name.is_empty()).collect();
        assert_eq!(plain[0].body.as_str(), Some(text));
        assert_eq!(plain[0].observed_time_unix_nano, NOW);
        assert!(!is_alert(plain[0]));
    }
    assert_eq!(map(&deep).1.alerts, 1, "what is left out may be deep");
    let (_, summary) = map(&format!("[{SMALL}, 5, [{{}}], {SMALL}]"));
    assert_eq!((summary.alerts, summary.plain.get(reasons::NOT_OBJECT)), (2, 2));
}

/// Scenario: more pieces than a body may have; a line longer than a plain record may be.
/// Guarantee: bounded, and counted.
#[test]
fn pieces_and_texts_are_bounded() {
    let (logs, summary) = map(&"{}".repeat(split::MAX_PIECES + 5));
    assert_eq!(summary.plain.get(reasons::NOT_ALERT), split::MAX_PIECES);
    assert_eq!(summary.plain.get(reasons::TOO_MANY), 1);
    assert_eq!(logs.records().last().and_then(|record| record.body.as_str()), Some("{}{}{}{}{}"));
    let (logs, summary) = map(&"é".repeat(MAX_PLAIN_BYTES));
    assert_eq!(summary.degraded.get(reasons::TEXT_CUT), 1);
    assert_eq!(logs.records().next().and_then(|record| record.body.as_str()).map(str::len), Some(MAX_PLAIN_BYTES));
}

/// Scenario: lines of a container's log.
/// Guarantee: only a whole alert with rule and time is mapped; the caller keeps the rest.
#[test]
fn a_line_is_an_alert_or_the_callers() {
    let mapper = FalcoMapper::new(&MappingOptions::default());
    let mapped = mapper.map_line(&format!("{}\n", alert("")).into(), NOW).expect("a whole alert");
    assert_eq!(mapped.record, one(&alert("")).1);
    for line in [
        "",
        "text",
        SMALL,
        r#"{"time":"2025-06-01T00:00:00Z","msg":"x"}"#,
        &format!("{} trailing", alert("")),
        &format!("{}{}", alert(""), alert("")),
    ] {
        assert!(mapper.map_line(&line.into(), NOW).is_none(), "{line}");
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,12}".prop_map(Into::into),
        prop::sample::select(vec!["<NA>", "host", "2025-06-01T00:00:00Z", "Warning", "/a/b", "internal"])
            .prop_map(Into::into),
    ];
    let name = prop_oneof![
        prop::sample::select(vec![
            "rule",
            "Output",
            "time",
            "priority",
            "tags",
            "output_fields",
            "source",
            "hostname",
            "uuid",
            "message",
            "seconds"
        ])
        .prop_map(String::from),
        prop::sample::select(table::ROWS.iter().map(|row| row.field.to_owned()).collect::<Vec<_>>()),
        "\\PC{0,8}",
    ];
    leaf.prop_recursive(5, 48, 10, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec((name.clone(), inner), 0..10)
                .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Scenario: any text, alone and among alerts.
    /// Guarantee: no panic, every record counted once (checked by `map`), the alert behind a line feed is found.
    #[test]
    fn any_text_is_accounted_for(text in "\\PC{0,80}|[\\[\\]{}\",:0-9a-z \\n\\\\]{0,80}") {
        map(&text);
        let (_, summary) = map(&format!("{SMALL}\n{text}"));
        prop_assert!(summary.alerts >= 1);
    }

    /// Scenario: any JSON value with the keys and fields of alerts in odd places.
    /// Guarantee: exactly one record per object or array element; attribute names are unique; text stays under the cap.
    #[test]
    fn any_json_is_mapped(value in json()) {
        let (logs, summary) = map(&value.to_string());
        let pieces = match &value {
            serde_json::Value::Array(items) if items.is_empty() => 0,
            serde_json::Value::Array(items) if items[0].is_object() => items.len(),
            _ => 1,
        };
        prop_assert_eq!(summary.records(), pieces);
        for group in &logs.groups {
            let lists = group.records.iter().map(|record| &record.attrs).chain([&group.resource.attrs]);
            for attrs in lists {
                let mut names: Vec<&str> = attrs.iter().map(|(key, _)| key.as_str()).collect();
                names.sort_unstable();
                prop_assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", names);
            }
        }
    }
}
