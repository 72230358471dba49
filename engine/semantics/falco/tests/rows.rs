//! Tests made from the table: one round per row.

use super::*;
use crate::semantics::falco::table::{As, FIELD_IDS, Place, ROWS, Row};

/// A JSON value that fits every target of the row.
fn fitting(row: &Row) -> &'static str {
    let kinds: Vec<As> = row.to.iter().map(|target| target.kind).collect();
    match kinds[..] {
        [As::Time | As::Timestamp, ..] => "1700000000123456789",
        [As::Int | As::LoginId | As::NotZero, ..] => "4242",
        [As::List, ..] => r#"["one","two"]"#,
        [As::Labels] => r#""app: web, tier=db""#,
        [As::IpVersion] => r#""ipv6""#,
        _ if kinds.contains(&As::FilePath) => r#""/etc/pam.d/su""#,
        _ => r#""some text""#,
    }
}

/// What a target of this kind makes of the fitting value.
fn expected(kind: As, json: &str) -> Option<Value> {
    let number = json.parse::<i64>();
    Some(match kind {
        As::Timestamp | As::Derived | As::Labels => return None,
        As::Int | As::LoginId => Value::Int(number.expect("the sample is a number")),
        As::NotZero => Value::Bool(true),
        As::Time => Value::text("2023-11-14T22:13:20.123456789Z"),
        As::List => ["one", "two"].into_iter().map(Text::from).collect(),
        As::One => [Text::from(json.trim_matches('"'))].into_iter().collect(),
        _ => Value::text(json.trim_matches('"')),
    })
}

/// Scenario: an alert with only this field (and a namespace, where the row asks for Kubernetes fields).
/// Guarantee: every target gets its value, at its place, with its type; nothing is left over.
#[test]
fn every_row_fills_its_targets() {
    for row in ROWS {
        let json = fitting(row);
        let namespace =
            if row.to.iter().any(|target| target.kind == As::TextInPod) { r#","k8s.ns.name":"ns""# } else { "" };
        let (resource, record, summary) = one(&alert(&format!("{:?}:{json}{namespace}", row.field)));
        assert!(summary.degraded.is_empty(), "{}: {summary:?}", row.field);
        for target in row.to {
            let attrs = if target.place == Place::Record { &record.attrs } else { &resource.attrs };
            if let Some(value) = expected(target.kind, json) {
                assert_eq!(get(attrs, target.name), Some(&value), "{} -> {}", row.field, target.name);
            }
            let elsewhere = if target.place == Place::Record { &resource.attrs } else { &record.attrs };
            assert_eq!(get(elsewhere, target.name), None, "{} -> {}", row.field, target.name);
            if target.kind == As::Labels {
                assert_eq!(text(attrs, "k8s.pod.label.app"), Some("web"));
                assert_eq!(text(attrs, "k8s.pod.label.tier"), Some("db"));
            }
        }
        let preserved = format!("falco.output_fields.{}", row.field);
        let derived_only = row.to.iter().all(|target| target.kind == As::Derived);
        assert_eq!(get(&record.attrs, &preserved).is_some(), derived_only, "{}", row.field);
    }
}

/// Scenario: each field as `null`, empty text and `<NA>`.
/// Guarantee: it leaves no trace.
#[test]
fn absent_values_leave_no_trace() {
    let (nothing, plain, _) = one(&alert(""));
    for row in ROWS {
        for json in ["null", r#""""#, r#""<NA>""#, r#"[null,"<NA>"]"#] {
            let (resource, record, _) = one(&alert(&format!("{:?}:{json}", row.field)));
            assert_eq!(record, plain, "{}: {json}", row.field);
            assert_eq!(resource, nothing, "{}: {json}", row.field);
        }
    }
}

/// Scenario: each field that wants a number or text holds an object.
/// Guarantee: it is kept as compact JSON under its own name, and said to be of the wrong type.
#[test]
fn a_value_that_fits_nowhere_is_kept() {
    for row in ROWS {
        let wants = row
            .to
            .iter()
            .all(|target| matches!(target.kind, As::Int | As::Text | As::One | As::Time | As::NotZero | As::LoginId));
        if wants {
            let (_, record, summary) = one(&alert(&format!(r#"{:?}:{{ "a" : [1, 2.50] }}"#, row.field)));
            assert_eq!(
                text(&record.attrs, &format!("falco.output_fields.{}", row.field)),
                Some(r#"{"a":[1,2.5]}"#),
                "{}",
                row.field
            );
            assert_eq!(summary.degraded.get(reasons::FIELD_TYPE), 1, "{}", row.field);
        }
    }
}

/// Scenario: the table as it is.
/// Guarantee: no field has two rows, and the numbers are the positions.
#[test]
fn fields_are_unique() {
    for (index, row) in ROWS.iter().enumerate() {
        assert_eq!(FIELD_IDS[index] as usize, index);
        assert!(ROWS[..index].iter().all(|other| other.field != row.field), "{}", row.field);
        assert!(!table::COMMON.contains(&row.field), "{}", row.field);
    }
}
