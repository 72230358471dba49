//! Scenarios of the mapping. Expectations follow `docs/mapping.md`.

mod corpus;
mod derived;
mod identity;
mod odd;
mod parts;
mod pieces;
mod reference_page;
mod rows;
mod secrets;

use super::*;
use crate::semantics::is_alert;

/// Time of receipt in these tests: 2025-06-01.
pub(super) const NOW: u64 = 1_748_736_000_000_000_000;

/// Maps a body with these options, in all ways: what is encoded at once, and what somebody gets who
/// wants some attributes only, is what the records give.
pub(super) fn map_with(options: &MappingOptions, body: &str) -> (Logs, Summary) {
    let (mapper, scope) = (FalcoMapper::new(options), scope("lanner.receiver.falco"));
    let mut logs = Logs::default();
    let summary = mapper.map_body(&body.into(), NOW, &scope, &mut logs);
    assert_eq!(summary.records(), logs.len(), "every piece is counted once");
    for parity in 0..2 {
        let wanted = logs.groups.iter().flat_map(|group| {
            let records = group.records.iter().flat_map(|record| record.attrs.iter());
            records.chain(group.resource.attrs.iter()).skip(parity).step_by(2).map(|(key, _)| key.clone())
        });
        let wanted = KeySet::from_iter(wanted);
        let mut part = Logs::default();
        let of_part = mapper.map_body_for(&wanted, &body.into(), NOW, &scope, &mut part);
        assert_eq!((of_part, each(&part)), (summary.clone(), wanted_of(each(&logs), &wanted)));
    }
    if let Some((request, of_request)) = mapper.encode_body(body, NOW, &EncodedScope::of(&scope)) {
        assert_eq!((&of_request, request.items), (&summary, 1));
        assert_eq!(event::otlp::decode_logs(&request.bytes).as_ref(), Ok(&logs));
        assert_eq!(request.bytes, event::otlp::encode_logs(&logs));
    }
    (logs, summary)
}

/// Every record with its resource's attributes.
fn each(logs: &Logs) -> Vec<(Attributes, LogRecord)> {
    let mut each = Vec::new();
    for group in &logs.groups {
        each.extend(group.records.iter().map(|record| (group.resource.attrs.clone(), record.clone())));
    }
    each
}

/// What somebody gets of them who wants these attributes. Text that is no alert stays.
fn wanted_of(mut each: Vec<(Attributes, LogRecord)>, wanted: &KeySet) -> Vec<(Attributes, LogRecord)> {
    for (resource, record) in each.iter_mut().filter(|(_, record)| !record.event_name.is_empty()) {
        resource.retain(|key, _| wanted.contains(key));
        record.attrs.retain(|key, _| wanted.contains(key));
        record.body = Value::Empty;
    }
    each
}

/// Maps a body with the default options.
pub(super) fn map(body: &str) -> (Logs, Summary) {
    map_with(&MappingOptions::default(), body)
}

/// The only record of a body, with its resource.
pub(super) fn one(body: &str) -> (Arc<Resource>, LogRecord, Summary) {
    only(map(body))
}

pub(super) fn only((logs, summary): (Logs, Summary)) -> (Arc<Resource>, LogRecord, Summary) {
    assert_eq!(logs.len(), 1, "{summary:?}");
    let group = &logs.groups[0];
    (Arc::clone(&group.resource), group.records[0].clone(), summary)
}

/// A whole alert with these output fields.
pub(super) fn alert(fields: &str) -> String {
    format!(
        r#"{{"hostname":"node-1","output":"12:00:00.0: Notice something","output_fields":{{{fields}}},"priority":"Notice","rule":"A rule","source":"syscall","tags":["shell"],"time":"2025-06-01T00:00:00.000000001Z"}}"#
    )
}

pub(super) fn get<'a>(attrs: &'a Attributes, name: &str) -> Option<&'a Value> {
    attrs.iter().find(|(key, _)| key.as_str() == name).map(|(_, value)| value)
}

pub(super) fn text<'a>(attrs: &'a Attributes, name: &str) -> Option<&'a str> {
    get(attrs, name).and_then(Value::as_str)
}

pub(super) fn texts(attrs: &Attributes, name: &str) -> Vec<String> {
    match get(attrs, name) {
        Some(Value::Array(items)) => items.iter().map(|item| item.as_str().unwrap_or("?").to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// Scenario: an alert as Falco writes it.
/// Guarantee: every part of the record is where the mapping says.
#[test]
fn a_whole_alert_fills_the_record() {
    let body = alert(r#""evt.time":1748736000000000001,"proc.name":"sh""#);
    let (resource, record, summary) = one(&body);
    assert_eq!((summary.alerts, summary.degraded.total()), (1, 0), "{summary:?}");
    assert!(is_alert(&record));
    assert_eq!(record.time_unix_nano, 1_748_736_000_000_000_001);
    assert_eq!(record.observed_time_unix_nano, NOW);
    assert_eq!((record.severity_number.0, record.severity_text.as_str()), (10, "Notice"));
    assert_eq!(record.event_name, "falco.alert");
    assert_eq!(record.body.as_str(), Some("12:00:00.0: Notice something"));
    assert_eq!(text(&record.attrs, "security_rule.name"), Some("A rule"));
    assert_eq!(text(&record.attrs, "falco.priority"), Some("notice"));
    assert_eq!(text(&record.attrs, "falco.source"), Some("syscall"));
    assert_eq!(texts(&record.attrs, "falco.tags"), ["shell"]);
    assert_eq!(text(&record.attrs, "security_rule.category"), Some("Execution"));
    assert_eq!(text(&resource.attrs, "service.name"), Some("falco"));
    assert_eq!(text(&resource.attrs, "service.namespace"), Some("runtime-security"));
    assert_eq!(text(&resource.attrs, "host.name"), Some("node-1"));
    assert_eq!(text(&resource.attrs, "k8s.node.name"), None);
    assert_eq!(resource.schema_url, SCHEMA_URL);
    let scope = scope("lanner.receiver.falco");
    assert_eq!((text(&scope.attrs, "lanner.mapping"), scope.schema_url.as_str()), (Some("v1"), SCHEMA_URL));
}

/// Scenario: every priority, in other cases, and Falco's own messages.
/// Guarantee: the severity numbers of section 1; `internal` is told by source and by the rule's name.
#[test]
fn priorities_and_internal_messages() {
    for (word, number) in [
        ("EMERGENCY", 21),
        ("alert", 19),
        ("Critical", 18),
        ("error", 17),
        ("Warning", 13),
        ("info", 9),
        ("Informational", 9),
        ("debug", 5),
    ] {
        let (_, record, _) = one(&alert("").replace("\"Notice\"", &format!("{word:?}")));
        assert_eq!((record.severity_number.0, record.severity_text.as_str()), (number, word));
    }
    for body in [
        alert("").replace("syscall", "internal"),
        alert("").replace("A rule", "Falco internal: syscall event drop").replace("\"source\":\"syscall\",", ""),
    ] {
        let (_, record, summary) = one(&body);
        assert_eq!((summary.alerts, summary.internal), (0, 1));
        assert_eq!(record.event_name, "falco.internal");
        assert_eq!(text(&record.attrs, "falco.source"), Some("internal"));
        assert_eq!(text(&record.attrs, "security_rule.category"), Some("Other"));
    }
}

/// Scenario: options that differ from the defaults.
/// Guarantee: each does what it says, and nothing else changes.
#[test]
fn options_are_obeyed() {
    let body = alert(r#""proc.pid":7,"x.y":"z""#);
    let with = |change: fn(&mut MappingOptions)| {
        let mut options = MappingOptions::default();
        change(&mut options);
        only(map_with(&options, &body))
    };
    let (resource, ..) = with(|options| {
        options.cluster_name = Some("prod".into());
        options.service_name = "guard".into();
        options.service_namespace = String::new();
    });
    assert_eq!(text(&resource.attrs, "k8s.cluster.name"), Some("prod"));
    assert_eq!(text(&resource.attrs, "service.name"), Some("guard"));
    assert_eq!(text(&resource.attrs, "service.namespace"), None);
    let (_, record, _) = with(|options| options.preserve = Preserve::All);
    assert_eq!(get(&record.attrs, "falco.output_fields.proc.pid"), Some(&Value::Int(7)));
    assert_eq!(get(&record.attrs, "process.pid"), Some(&Value::Int(7)));
    let (_, record, _) = with(|options| options.preserve = Preserve::None);
    assert_eq!(get(&record.attrs, "falco.output_fields.x.y"), None);
    let (_, record, _) = with(|options| options.keep_original = true);
    assert_eq!(text(&record.attrs, "log.record.original"), Some(&*body));
}

/// Scenario: a long value with a character across the cap, and more fields than the cap.
/// Guarantee: cut at the character's start; the surplus is counted, and what makes an alert recognisable stays.
#[test]
fn caps_cut_at_characters_and_count() {
    let options = MappingOptions { max_attribute_bytes: 5, max_attributes: 16, ..MappingOptions::default() };
    let fields: Vec<String> = (0..40).map(|n| format!(r#""f{n}":"aaaaé""#)).collect();
    let (_, record, _) = only(map_with(&options, &alert(&fields.join(","))));
    assert_eq!(record.attrs.len(), 16);
    let core = record.attrs.iter().filter(|(key, _)| !key.as_str().starts_with("falco.output_fields.")).count();
    assert_eq!(record.dropped_attributes_count as usize, 40 - (16 - core));
    assert_eq!(text(&record.attrs, "falco.output_fields.f0"), Some("aaaa"));
    assert!(is_alert(&record));
}
