//! What becomes of single lines.

use super::*;
use crate::container::{Stream, Whole, Wrapping};
use bytes::Bytes;
use lanner_engine::{prelude::*, testing::planning};

fn mapper(format: Format, non_json: Option<NonJson>) -> Mapper {
    let options = Options {
        format,
        container: Wrapping::None,
        non_json,
        semantics: Semantics::default(),
        max_line: 1 << 20,
        scope: "lanner.receiver.test",
    };
    planning(|cx| options.check(cx)).0.unwrap()
}

fn map(mapper: &Mapper, lines: &[&str]) -> Records {
    let mut records = Records::default();
    for (index, line) in lines.iter().enumerate() {
        let line = Whole::plain(Bytes::copy_from_slice(line.as_bytes()), index as u64);
        mapper.map(&Source::default(), &line, 7, &mut records);
    }
    records
}

fn nested(levels: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

/// Scenario: JSON of every type, with integers at and beyond the edges of 64 bits.
/// Guarantee: types are kept, no integer loses a digit, the order of keys stays.
#[test]
fn json_keeps_its_types() {
    let line = r#"{"z": 9223372036854775807, "a": -9223372036854775808, "u": 18446744073709551615, "d": 1.5, "t": "x", "n": null, "b": true, "l": [1, {"k": []}]}"#;
    let records = map(&mapper(Format::Json, None), &[line]);
    let record = records.logs.records().next().unwrap();
    let Value::Map(body) = &record.body else { panic!("{:?}", record.body) };
    let expected = [
        ("z", Value::Int(i64::MAX)),
        ("a", Value::Int(i64::MIN)),
        ("u", "18446744073709551615".into()),
        ("d", Value::Double(1.5)),
        ("t", "x".into()),
        ("n", Value::Empty),
        ("b", true.into()),
        ("l", Value::Array(vec![Value::Int(1), Value::Map(vec![("k".into(), Value::Array(Vec::new()))])])),
    ];
    assert!(body.iter().map(|(name, value)| (name.as_str(), value.clone())).eq(expected), "{body:?}");
    assert_eq!((record.time_unix_nano, record.observed_time_unix_nano), (0, 7));
}

/// Scenario: lines that are no JSON object, and objects nested deeper than OTLP can be read back.
/// Guarantee: kept as text and counted, or left out and counted, as configured; the deepest that is taken survives the
/// wire.
#[test]
fn what_is_no_json_object_is_accounted_for() {
    let (deepest, deeper, absurd) = (nested(61), nested(64), nested(100_000));
    let lines = ["text", "[1]", "17", "{\"a\":", "{} x", &deeper, &absurd, &deepest];
    let kept = map(&mapper(Format::Json, None), &lines);
    assert_eq!(kept.logs.len(), lines.len());
    assert_eq!((kept.unusable.get("not_json"), kept.unusable.get("not_object")), (4, 2));
    assert_eq!((kept.unusable.get("too_deep"), kept.unusable.total()), (1, 7));
    let skipped = map(&mapper(Format::Json, Some(NonJson::Skip)), &lines);
    assert_eq!((skipped.logs.len(), skipped.skipped.total()), (1, 7));
    let batch = Batch::logs(skipped.logs);
    let mut decoded = Batch::otlp(batch.to_otlp());
    decoded.decode().unwrap();
    assert_eq!(decoded.records().next().unwrap().body, batch.records().next().unwrap().body);
}

/// Scenario: an alert on stdout and on stderr of a container, blank lines, and text, for Falco.
/// Guarantee: only the first is an alert; blank lines are nothing; text is left out and counted.
#[test]
fn falco_alerts_come_from_stdout() {
    let alert = r#"{"rule":"R","priority":"Notice","time":"2026-01-01T00:00:00Z","output":"o","output_fields":{}}"#;
    let mapper = mapper(Format::Falco, None);
    let mut records = map(&mapper, &[alert, "", "  \t", "Events detected: 1"]);
    for stream in Stream::ALL {
        let line = Whole { stream: Some(stream), time: 5, ..Whole::plain(Bytes::copy_from_slice(alert.as_bytes()), 9) };
        mapper.map(&Source::default(), &line, 7, &mut records);
    }
    assert_eq!(records.logs.len(), 2);
    assert_eq!(records.skipped.get("not_an_alert"), 2);
    let observed: Vec<u64> = records.logs.records().map(|record| record.observed_time_unix_nano).collect();
    assert_eq!(observed, [7, 5]);
    assert!(records.logs.groups.iter().all(|group| group.scope.name == "lanner.receiver.falco"));
}

/// Scenario: options that have no effect with the chosen format.
/// Guarantee: a warning for each, and no error.
#[test]
fn options_without_effect_are_warned_about() {
    let mut options = Options {
        format: Format::Text,
        container: Wrapping::None,
        non_json: Some(NonJson::Keep),
        semantics: Semantics::default(),
        max_line: 1000,
        scope: "lanner.receiver.test",
    };
    options.semantics.falco.keep_original = true;
    options.semantics.k8s_audit.cluster_name = Some("prod".into());
    let (mapper, findings) = planning(|cx| options.check(cx));
    assert!(mapper.is_some());
    assert_eq!(findings.len(), 3, "{findings:?}");
}
