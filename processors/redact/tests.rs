//! Scenarios of redaction.

use super::Redact;
use lanner_engine::{
    event::{LogGroup, Raw},
    prelude::*,
    testing::{TransformTest, log},
};
use std::sync::Arc;

fn redact(yaml: &str, record: impl Into<LogRecord>) -> LogRecord {
    let out = TransformTest::of::<Redact>(yaml).run([record.into()]);
    assert!(out.discarded().is_empty());
    out.records().pop().expect("the record stays")
}

/// Scenario: no key at all; secrets in a command line, in the message, in a list and in a nested map.
/// Guarantee: they are gone everywhere; everything else stays.
#[test]
fn secrets_go_by_default() {
    let nested = Value::Map(vec![("env".into(), Value::Array(vec!["A=1".into(), "DB_PASSWORD=hunter2".into()]))]);
    let before = log()
        .body("A shell (cmdline=mysql -phunter2 shop)")
        .attr("process.command_line", "mysql -phunter2 shop")
        .attr("process.pid", 7)
        .attr("log.record.uid", "token=abc")
        .attr("deep", nested);
    let after = redact("{}", before);
    assert_eq!(after.body.as_str(), Some("A shell (cmdline=mysql -p[REDACTED] shop)"));
    let nested = vec!["A=1".into(), "DB_PASSWORD=[REDACTED]".into()];
    let expected = log()
        .attr("process.command_line", "mysql -p[REDACTED] shop")
        .attr("process.pid", 7)
        .attr("log.record.uid", "token=abc")
        .attr("deep", Value::Map(vec![("env".into(), Value::Array(nested))]));
    assert_eq!(after.attrs, expected.build().attrs);
}

/// Scenario: an audit event that carries its JSON for rules, without a finding in its attributes.
/// Guarantee: the JSON is gone, since secrets in it would be shown by what is made of it.
#[test]
fn raw_text_goes() {
    let before = LogRecord { raw: Raw::new("{\"requestObject\":{}}".into()), ..log().body("get pods").build() };
    assert!(redact("{}", before).raw.text().is_none());
}

/// Scenario: attributes by name with a wildcard, an exception, and each action; a name inside a map.
/// Guarantee: those attributes and no others; equal values have equal digests; an integer is redacted, too.
#[test]
fn whole_attributes() {
    let map = Value::Map(vec![("user.mail".into(), "jane@x".into()), ("a".into(), "b".into())]);
    let before = || {
        let users = log().attr("user.name", "jane").attr("user.id", 7).attr("user.group", "ops");
        users.attr("other", "jane").attr("map", map.clone()).build()
    };
    let yaml = "keys: ['user.*']\nallowed_keys: [user.group]\n";
    let text = |record: &LogRecord, key: &str| match record.attrs.get(&Key::intern(key)) {
        Some(Value::Map(entries)) => format!("{entries:?}"),
        Some(value) => value.as_str().unwrap_or_default().to_owned(),
        None => "(gone)".to_owned(),
    };
    let masked = redact(&format!("{yaml}mask: '***'"), before());
    assert_eq!(
        ["user.name", "user.id", "user.group", "other"].map(|key| text(&masked, key)),
        ["***", "***", "ops", "jane"]
    );
    assert!(text(&masked, "map").contains("***"));
    let deleted = redact(&format!("{yaml}action: delete"), before());
    assert_eq!(["user.name", "user.id", "user.group"].map(|key| text(&deleted, key)), ["(gone)", "(gone)", "ops"]);
    assert!(!text(&deleted, "map").contains("user.mail"));
    let hashed = |key: &str| redact(&format!("{yaml}action: hash\nhash_key: {key}"), before());
    let (one, again, other) = (hashed("a"), hashed("a"), hashed("b"));
    assert_eq!(text(&one, "user.name"), text(&again, "user.name"));
    assert_ne!(text(&one, "user.name"), text(&other, "user.name"));
    assert_ne!(text(&one, "user.name"), text(&one, "user.id"));
    assert_eq!(text(&one, "user.name").len(), 16);
}

/// Scenario: patterns with and without a group, several matches, each action, next to secrets that are left alone.
/// Guarantee: only what matches goes, at character boundaries.
#[test]
fn parts_of_texts() {
    let before = || log().body("kärtchen 4111-1111 und 4222-2222, id=jane, token=abc");
    let body = |yaml: &str| redact(yaml, before()).body.as_str().map(str::to_owned).expect("text");
    assert_eq!(
        body("secrets: false\npatterns: ['\\d{4}-\\d{4}', 'id=(\\w+)']\nmask: '*'"),
        "kärtchen * und *, id=*, token=abc"
    );
    assert_eq!(body("patterns: ['ä']\naction: delete"), "krtchen 4111-1111 und 4222-2222, id=jane, token=[REDACTED]");
    let hashed = body("secrets: false\npatterns: ['4111-1111|4222-2222']\naction: hash\nhash_key: a");
    let digests: Vec<_> = hashed.split([' ', ',']).filter(|word| word.len() == 16).collect();
    assert!(digests.len() == 2 && digests[0] != digests[1], "{hashed}");
}

/// Scenario: a secret in a resource attribute that two records share.
/// Guarantee: the resource is redacted as well.
#[test]
fn resources_are_redacted() {
    let resource = Attributes::from_iter([(Key::intern("db.url"), "pg://a:b@c".into())]);
    let resource = Arc::new(Resource { attrs: resource, ..Resource::default() });
    let group = LogGroup { resource, records: vec![log().build(), log().build()], ..LogGroup::default() };
    let out = TransformTest::of::<Redact>("{}").run_batch(Batch::logs(Logs { groups: vec![group] }));
    let cleaned = &out.batches()[0].as_logs().expect("records").groups[0];
    assert_eq!(cleaned.resource.attrs.get_str(&Key::intern("db.url")), Some("pg://a:[REDACTED]@c"));
    assert_eq!(cleaned.records.len(), 2);
}

/// Scenario: nothing to do; a pattern that matches everywhere; a wildcard that is none; digests without a key.
/// Guarantee: said before start, at the place.
#[test]
fn mistakes_are_found_before_start() {
    for (yaml, text) in [
        ("secrets: false", "take the processor out"),
        ("patterns: ['x*']", "matches the empty text"),
        ("keys: ['[a']", "no name with wildcards"),
        ("keys: [a]\naction: hash", "set `hash_key`"),
        ("patterns: ['(']", "regular expression"),
    ] {
        let findings = TransformTest::findings::<Redact>(yaml);
        let said = findings.iter().any(|finding| format!("{finding:?}").contains(text));
        assert!(said, "{yaml}: {findings:?}");
    }
    assert!(TransformTest::findings::<Redact>("{}").is_empty());
}
