//! Odd alerts: the event is kept, and what was odd is said.

use super::*;

/// Scenario: one oddity at a time.
/// Guarantee: still an alert, flagged with its reason.
#[test]
fn oddities_are_kept_and_named() {
    let whole = alert("");
    let many: Vec<String> = (0..1100).map(|n| format!(r#""f{n}":1"#)).collect();
    let list: Vec<String> = (0..1100).map(|n| n.to_string()).collect();
    let cases = [
        (whole.replace("\"Notice\"", "\"Loud\""), reasons::UNKNOWN_PRIORITY),
        (whole.replace("\"priority\":\"Notice\",", ""), reasons::MISSING_PRIORITY),
        (whole.replace("\"Notice\"", "4"), reasons::NUMERIC_PRIORITY),
        (whole.replace("\"Notice\"", "[4]"), reasons::UNKNOWN_PRIORITY),
        (whole.replace("2025-06-01T", "yesterday "), reasons::BAD_TIME),
        (whole.replace(",\"time\":\"2025-06-01T00:00:00.000000001Z\"", ""), reasons::MISSING_TIME),
        (
            whole.replace("\"2025-06-01T00:00:00.000000001Z\"", "{\"seconds\":1570094449,\"nanos\":620298462}"),
            reasons::TIME_FORM,
        ),
        (whole.replace("\"2025-06-01T00:00:00.000000001Z\"", "[1]"), reasons::BAD_TIME),
        (whole.replace("\"rule\":\"A rule\",", ""), reasons::MISSING_RULE),
        (whole.replace("\"A rule\"", "17"), reasons::WRONG_TYPE),
        (whole.replace("[\"shell\"]", "\"shell, network\""), reasons::WRONG_TYPE),
        (whole.replace("[\"shell\"]", "[\"shell\",5]"), reasons::WRONG_TYPE),
        (whole.replace("{},", "[],"), reasons::WRONG_TYPE),
        (whole.replace("\"output_fields\":{},", ""), reasons::MISSING_OUTPUT_FIELDS),
        (whole.replace("\"output\":", "\"outputs\":"), reasons::MISSING_OUTPUT),
        (whole.replace("\"output\":", "\"Message\":\"m\",\"outputs\":"), reasons::UNKNOWN_KEY),
        (alert(&many.join(",")), reasons::FIELDS_CUT),
        (alert(&format!("\"l\":[{}]", list.join(","))), reasons::LIST_CUT),
        (whole.replace("2025-", "2026-"), reasons::CLOCK_SKEW),
    ];
    for (body, reason) in cases {
        assert_ne!(body, whole, "{reason}");
        let (_, record, summary) = one(&body);
        assert_eq!(summary.alerts, 1, "{reason}: {summary:?}");
        assert!(summary.degraded.get(reason) > 0, "{reason}: {summary:?}");
        assert!(is_alert(&record));
    }
    assert!(reasons::DEGRADED.iter().all(|(reason, meaning)| !reason.is_empty() && !meaning.is_empty()));
}

/// Scenario: no usable `time`, but a time field, in nanoseconds or in microseconds; or none at all.
/// Guarantee: the field's time to the last digit; else 0, unknown.
#[test]
fn a_time_field_stands_in() {
    let time =
        |fields: &str| one(&alert(fields).replace(",\"time\":\"2025-06-01T00:00:00.000000001Z\"", "")).1.time_unix_nano;
    assert_eq!(time(r#""evt.time":1507591916746609047"#), 1_507_591_916_746_609_047);
    assert_eq!(
        time(r#""evt.time":"09:20:49.620298462","evt.time.iso8601":1507591916746609047"#),
        1_507_591_916_746_609_047
    );
    assert_eq!(time(r#""evt.rawtime":1618347519000000"#), 1_618_347_519_000_000_000);
    assert_eq!(time(""), 0);
    assert_eq!(time(r#""evt.time":-5"#), 0);
}

/// Scenario: numbers at the edges, nested values, repeated keys, escapes, keys in other cases.
/// Guarantee: integers stay exact, an unsigned one over the signed range becomes text; floats are the nearest there are; objects are
/// compact JSON; the last of a repeated key wins.
#[test]
fn values_keep_their_types() {
    let attrs = one(&alert(
        r#""i":9223372036854775807,"u":18446744073709551615,"n":-1,"d":1.5,"m":1844674407370954191.565,"b":true,"o":{"k": [1, {"x": null}], "s":"\""},"l":["a",null,2,[3]],"e":"a\nb","dup":1,"dup":2,"proc.pid":1,"proc.pid":2,"gone":1,"gone":null,"a[2]":1,"a.2":2"#,
    ))
    .1
    .attrs;
    let field = |name: &str| get(&attrs, &format!("falco.output_fields.{name}")).cloned();
    assert_eq!(field("i"), Some(Value::Int(i64::MAX)));
    assert_eq!(field("u"), Some(Value::text("18446744073709551615")));
    assert_eq!(field("n"), Some(Value::Int(-1)));
    assert_eq!(field("d"), Some(Value::Double(1.5)));
    assert_eq!(field("m"), "1844674407370954191.565".parse().ok().map(Value::Double));
    assert_eq!(field("b"), Some(Value::Bool(true)));
    assert_eq!(field("o"), Some(Value::text(r#"{"k":[1,{"x":null}],"s":"\""}"#)));
    assert_eq!(field("l"), Some(Value::Array(vec![Value::text("a"), Value::Int(2), Value::text("[3]")])));
    assert_eq!(field("e"), Some(Value::text("a\nb")));
    assert_eq!(field("dup"), Some(Value::Int(2)));
    assert_eq!(field("gone"), None);
    assert_eq!(get(&attrs, "process.pid"), Some(&Value::Int(2)));
    let mut names: Vec<&str> = attrs.iter().map(|(key, _)| key.as_str()).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
}
