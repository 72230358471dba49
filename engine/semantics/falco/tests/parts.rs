//! Alerts that come part by part, as over gRPC, beside the same alerts as JSON.

use super::*;
use crate::semantics::AlertParts;
use crate::semantics::data;
use serde_json::Value as Json;

/// What Falco's gRPC output makes of a value: everything is text.
fn as_text(value: &Json) -> String {
    match value {
        Json::Null => "<NA>".into(),
        Json::String(text) => text.clone(),
        Json::Array(items) => format!("({})", items.iter().map(as_text).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

fn str_of<'a>(alert: &'a Json, key: &str) -> &'a str {
    alert[key].as_str().unwrap_or_default()
}

/// Maps an alert's JSON the way it would come over gRPC.
fn by_parts(line: &str) -> Mapped {
    let alert: Json = serde_json::from_str(line).expect("JSON");
    let time = time::parse_rfc3339(str_of(&alert, "time")).expect("a time");
    let fields: Vec<(String, String)> = alert["output_fields"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !matches!(name.as_str(), "evt.time" | "evt.time.iso8601"))
        .map(|(name, value)| (name.clone(), as_text(value)))
        .collect();
    let word = crate::event::Priority::parse(str_of(&alert, "priority")).expect("a priority");
    let number = crate::event::Priority::ALL.iter().rev().position(|priority| *priority == word).expect("known");
    let parts = AlertParts {
        hostname: str_of(&alert, "hostname"),
        rule: str_of(&alert, "rule"),
        source: str_of(&alert, "source"),
        output: str_of(&alert, "output"),
        priority: number as i32,
        time: Some(((time / 1_000_000_000) as i64, (time % 1_000_000_000) as i32)),
        tags: alert["tags"].as_array().into_iter().flatten().filter_map(Json::as_str).collect(),
        // Protobuf maps have no order.
        fields: fields.iter().rev().map(|(name, text)| (name.as_str(), text.as_str())).collect(),
    };
    FalcoMapper::new(&MappingOptions::default()).map_parts(parts, NOW)
}

fn sorted(attrs: &Attributes) -> Vec<(String, String)> {
    let mut all: Vec<_> = attrs.iter().map(|(key, value)| (key.as_str().to_owned(), format!("{value:?}"))).collect();
    all.sort();
    all
}

/// Scenario: real alerts, once as JSON and once as parts with every value as text.
/// Guarantee: record and resource are the same, the id and the types of numbers, flags and lists included. The exceptions
/// are alerts that Falco itself would not have written: with a forwarder's `uuid`, with numbers in a drop message; and a
/// `message` beside `output`, which the parts cannot carry.
#[test]
fn the_record_is_that_of_the_json() {
    let (mut compared, mut attributes) = (0, 0);
    for line in data::lines("dev/falco_alerts.jsonl").unwrap_or_default() {
        let json: Json = serde_json::from_str(&line).expect("JSON");
        let foreign = json.get("uuid").is_some() || json["output_fields"]["n_drops"].is_number();
        if foreign || json.get("message").is_some() {
            continue;
        }
        let (resource, record, _) = one(&line);
        let parts = by_parts(&line);
        assert_eq!(sorted(&parts.record.attrs), sorted(&record.attrs), "{line}");
        assert_eq!(sorted(&parts.resource.attrs), sorted(&resource.attrs), "{line}");
        let rest = |record: &LogRecord| LogRecord { attrs: Attributes::default(), ..record.clone() };
        assert_eq!(
            rest(&parts.record),
            LogRecord { severity_text: parts.record.severity_text.clone(), ..rest(&record) }
        );
        compared += 1;
        attributes += record.attrs.len();
    }
    assert!(compared == 0 || compared > 40 && attributes > 1000, "{compared} alerts, {attributes} attributes");
}

fn parts<'a>() -> AlertParts<'a> {
    AlertParts {
        hostname: "node-1",
        rule: "A rule",
        source: "syscall",
        output: "12:00:00.0: Notice something",
        priority: 5,
        time: Some((1_748_736_000, 1)),
        tags: vec!["shell"],
        fields: Vec::new(),
    }
}

fn map_parts(parts: AlertParts<'_>) -> Mapped {
    FalcoMapper::new(&MappingOptions { keep_original: true, ..MappingOptions::default() }).map_parts(parts, NOW)
}

/// Scenario: an alert by parts that is [`alert`] as JSON, with typed fields, `<NA>`, a repeated field and one without a row.
/// Guarantee: the same record in the same order of attributes, nothing odd about it, and no original that was never there.
#[test]
fn parts_make_the_whole_record() {
    let json = alert(
        r#""evt.num":7,"k8s.ns.name":null,"ka.user.groups":["a","b"],"proc.aname[2]":"init","proc.cmdline":"cat (x)","proc.pid":4242,"user.loginuid":-1,"x.y":"2""#,
    );
    let (resource, record, _) = one(&json);
    let fields = vec![
        ("x.y", "1"),
        ("user.loginuid", "-1"),
        ("proc.pid", "4242"),
        ("proc.cmdline", "cat (x)"),
        ("proc.aname[2]", "init"),
        ("k8s.ns.name", "<NA>"),
        ("ka.user.groups", "(a,b)"),
        ("evt.num", "7"),
        ("x.y", "2"),
    ];
    let mapped = map_parts(AlertParts { fields, ..parts() });
    assert_eq!((&mapped.record, &mapped.resource), (&record, &resource));
    assert!(mapped.degraded.is_empty() && !mapped.internal, "{:?}", mapped.degraded);
}

/// Scenario: hostile and missing parts: times outside every range, an unknown priority, nothing at all.
/// Guarantee: an alert all the same; each oddity is named.
#[test]
fn odd_parts_are_kept_and_named() {
    for time in [(-1, 0), (1, -1), (1, 1_000_000_000), (i64::MAX, 0), (i64::MIN, i32::MIN)] {
        let mapped = map_parts(AlertParts { time: Some(time), ..parts() });
        assert_eq!((mapped.record.time_unix_nano, mapped.degraded.get(reasons::BAD_TIME)), (0, 1), "{time:?}");
    }
    for priority in [8, -1, i32::MAX, i32::MIN] {
        let mapped = map_parts(AlertParts { priority, ..parts() });
        assert_eq!(mapped.degraded.get(reasons::UNKNOWN_PRIORITY), 1);
        assert_eq!((mapped.record.severity_number.0, &*mapped.record.severity_text), (0, &*priority.to_string()));
    }
    let mapped = map_parts(AlertParts::default());
    for reason in [reasons::MISSING_RULE, reasons::MISSING_OUTPUT, reasons::MISSING_TIME] {
        assert_eq!(mapped.degraded.get(reason), 1, "{reason}");
    }
    assert_eq!(mapped.record.event_name, "falco.alert");
}

/// Scenario: more fields, tags and list items than are kept.
/// Guarantee: the limits of JSON hold, and what is left out is counted.
#[test]
fn parts_are_bounded() {
    let names: Vec<String> = (0..2000).map(|number| format!("f{number}")).collect();
    let items = format!("({})", "a,".repeat(3000));
    let mut fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    fields.push(("a.first", "x"));
    fields.push(("evt.first", "x"));
    fields.push(("ka.user.groups", &items));
    let mapped = map_parts(AlertParts { fields, tags: vec!["t"; 3000], ..parts() });
    assert_eq!(mapped.degraded.get(reasons::FIELDS_CUT), 1);
    assert_eq!(mapped.degraded.get(reasons::LIST_CUT), 2);
    assert_eq!(mapped.record.attrs.len(), 128);
    assert_eq!(mapped.record.dropped_attributes_count as usize + 128, 2003 + core_attributes());
}

/// How many attributes an alert without fields has.
fn core_attributes() -> usize {
    map_parts(AlertParts { tags: vec!["t"; 3000], ..parts() }).record.attrs.len()
}

/// Scenario: alerts without output, by parts and as JSON; with fields that differ in value or in type.
/// Guarantee: the fields decide about the id, and it is the id of the JSON.
#[test]
fn fields_stand_in_for_a_missing_output() {
    let uid = |mapped: &Mapped| text(&mapped.record.attrs, "log.record.uid").expect("an id").to_owned();
    let with = |fields| map_parts(AlertParts { output: "", fields, ..parts() });
    let json = alert(r#""container.privileged":true,"evt.num":7,"fd.types":["a","b"],"x.y":"2""#)
        .replace(r#""output":"12:00:00.0: Notice something","#, "");
    let same = with(vec![("x.y", "2"), ("evt.num", "7"), ("fd.types", "(a,b)"), ("container.privileged", "true")]);
    assert_eq!(uid(&same), text(&one(&json).1.attrs, "log.record.uid").expect("an id"));
    assert_ne!(uid(&with(vec![("x.y", "3")])), uid(&with(vec![("x.y", "2")])));
}

/// Scenario: Falco's own messages: a metrics snapshot, and an old Falco's drop message without source.
/// Guarantee: they are internal; the snapshot's numbers are numbers, the drop message's texts stay texts.
#[test]
fn internal_messages_are_told_apart() {
    let fields = vec![("scap.n_drops", "7"), ("falco.evts_rate_sec", "0.5"), ("falco.version", "0.43.0")];
    let mapped =
        map_parts(AlertParts { source: "internal", rule: "Falco internal: metrics snapshot", fields, ..parts() });
    assert!(mapped.internal);
    let field =
        |mapped: &Mapped, name: &str| get(&mapped.record.attrs, &format!("falco.output_fields.{name}")).cloned();
    assert_eq!(field(&mapped, "scap.n_drops"), Some(Value::Int(7)));
    assert_eq!(field(&mapped, "falco.evts_rate_sec"), Some(Value::Double(0.5)));
    assert_eq!(field(&mapped, "falco.version"), Some(Value::text("0.43.0")));
    let fields = vec![("n_drops", "42"), ("ebpf_enabled", "1")];
    let mapped = map_parts(AlertParts { source: "", rule: "Falco internal: syscall event drop", fields, ..parts() });
    assert!(mapped.internal);
    assert_eq!(field(&mapped, "n_drops"), Some(Value::text("42")));
}
