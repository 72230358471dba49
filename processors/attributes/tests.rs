//! Scenarios of actions on attributes.

use super::AttributesProcessor;
use crate::testing::emitted;
use lanner_engine::{
    event::{LogGroup, SeverityNumber},
    prelude::*,
    testing::{TransformTest, Transformed, log},
};
use proptest::prelude::*;
use std::sync::Arc;

fn run(yaml: &str, record: impl Into<LogRecord>) -> Transformed {
    TransformTest::of::<AttributesProcessor>(yaml).run([record.into()])
}

/// The attributes after one list of actions, as `name=value`.
fn after(actions: &str, record: impl Into<LogRecord>) -> Vec<String> {
    let out = run(&format!("actions:\n{actions}"), record);
    assert!(out.discarded().is_empty());
    shown(&out.records().remove(0).attrs)
}

fn shown(attrs: &Attributes) -> Vec<String> {
    attrs.iter().map(|(key, value)| format!("{key}={}", value.to_json())).collect()
}

/// Scenario: insert, update and upsert of an attribute that is there and of one that is not, with values of every type.
/// Guarantee: each writes exactly when it should, and keeps the type.
#[test]
fn values_are_written_when_they_should() {
    let actions = "
- {key: a, action: insert, value: new}
- {key: b, action: insert, value: 7}
- {key: c, action: update, value: new}
- {key: a, action: update, value: 1.5}
- {key: d, value: true}
- {key: e, action: upsert, value: '7'}
";
    assert_eq!(after(actions, log().attr("a", "old")), ["a=1.5", "b=7", "d=true", "e=\"7\""]);
}

/// Scenario: values from an attribute without a dot, from a field by Falco's and by OpenTelemetry's name, from a template,
/// and from sources that have none.
/// Guarantee: types stay; a missing source writes nothing, a template with a star writes `<NA>`.
#[test]
fn values_come_from_elsewhere() {
    let actions = "
- {key: copy, from_attribute: team}
- {key: pid, from_attribute: process.pid}
- {key: proc, from_attribute: proc.name}
- {key: who, template: '%proc.name@%attr[team]'}
- {key: gone, from_attribute: nobody}
- {key: none, template: '%proc.name@%k8s.pod.name'}
- {key: star, template: '*%proc.name@%k8s.pod.name'}
";
    let record = log().attr("team", "blue").attr("process.pid", 7).attr("falco.proc.name", "sh");
    let attrs = after(actions, record);
    let expected = [r#"copy="blue""#, "pid=7", r#"proc="sh""#, r#"who="sh@blue""#, r#"star="sh@<NA>""#];
    assert_eq!(attrs[3..], expected);
}

/// Scenario: deleting by name, wildcard and pattern, renaming one and many, also onto a name that is taken.
/// Guarantee: only those are gone or renamed; the id stays, whatever the wildcard says.
#[test]
fn names_are_taken_out_and_changed() {
    let record = || log().attr("log.record.uid", "id").attr("a.x", 1).attr("a.y", 2).attr("b", 3).attr("c", 4);
    assert_eq!(after("- {key: a.*, action: delete}", record()), [r#"log.record.uid="id""#, "b=3", "c=4"]);
    assert_eq!(after("- {key: b, action: delete}", record()).len(), 4);
    assert_eq!(after("- {pattern: '^[ab]', action: delete}", record()).len(), 2);
    assert_eq!(after("- {key: '*', action: delete}", record()), [r#"log.record.uid="id""#]);
    assert_eq!(after("- {key: b, action: rename, to: c}", record())[3..], ["c=3"]);
    let renamed = after("- {key: a.*, action: rename, to: z.*}", record());
    assert_eq!(renamed[1..3], ["z.x=1", "z.y=2"]);
    assert_eq!(after("- {key: 'log.*', action: rename, to: 'x.*'}", record())[0], r#"log.record.uid="id""#);
}

/// Scenario: groups of a text, with a text that does not match; conversions that work and those that do not.
/// Guarantee: groups become attributes; what cannot be converted stays and is counted once for its record.
#[test]
fn texts_are_taken_apart_and_converted() {
    let actions = r"- {key: cmd, action: extract, pattern: '--port (?P<server.port>\d+)'}
- {key: server.port, action: convert, converted_type: int}";
    assert_eq!(after(actions, log().attr("cmd", "run --port 80"))[1..], ["server.port=80"]);
    assert_eq!(after(actions, log().attr("cmd", "run")).len(), 1);
    let record = || log().attr("a", "7").attr("b", 1.9).attr("c", "x").attr("d", "TRUE").attr("e", f64::MAX);
    let convert = |to: &str| {
        run(
            &format!(
                "actions: [{{key: '?', action: convert, converted_type: {to}}}, {{key: '*', action: convert, converted_type: {to}}}]"
            ),
            record(),
        )
    };
    let out = convert("int");
    assert_eq!(shown(&out.records()[0].attrs)[..2], ["a=7", "b=1"]);
    assert_eq!(out.records()[0].attrs.get(&Key::intern("e")), Some(&Value::Double(f64::MAX)));
    assert_eq!(out.degraded(), [("not_converted", 1)]);
    assert_eq!(shown(&convert("bool").records()[0].attrs)[3], "d=true");
    assert_eq!(shown(&convert("string").records()[0].attrs)[1], r#"b="1.9""#);
    assert!(convert("string").degraded().is_empty());
}

/// Scenario: a value that is hashed, with two keys.
/// Guarantee: equal values stay equal under one key, and nothing is left of the value.
#[test]
fn values_are_hashed() {
    let hashed = |key: &str| {
        let yaml = format!("hash_key: {key}\nactions: [{{key: user.*, action: hash}}]");
        let out = run(&yaml, log().attr("user.name", "eve").attr("user.id", "eve").attr("x", "eve"));
        shown(&out.records()[0].attrs)
    };
    let (one, other) = (hashed("a"), hashed("b"));
    assert_eq!(one[0].split_once('=').map(|(_, value)| value), one[1].split_once('=').map(|(_, value)| value));
    assert_ne!(one[0], other[0]);
    assert_eq!((one[0].len(), one[2].as_str()), (r#"user.name="""#.len() + 16, r#"x="eve""#));
}

/// Scenario: a condition that holds for one of three records of a group, whose resource changes by a value of the record.
/// Guarantee: that record gets a resource of its own, the others keep theirs; order stays.
#[test]
fn resources_are_changed_for_the_records_that_are_meant() {
    let yaml =
        "condition: attr[n] = 2\nactions: [{key: seen, value: true}]\nresource: [{key: team, from_attribute: n}]";
    let attrs = Attributes::from_iter([(Key::intern("host.name"), Value::text("h"))]);
    let resource = Arc::new(Resource { attrs, ..Resource::default() });
    let records = (1..4).map(|n| log().attr("n", n).build()).collect();
    let batch = Batch::logs(Logs { groups: vec![LogGroup { resource, records, ..LogGroup::default() }] });
    let out = TransformTest::of::<AttributesProcessor>(yaml).run_batch(batch.clone());
    let groups = &out.batches()[0].as_logs().expect("records").groups;
    let seen: Vec<_> = groups.iter().map(|group| (shown(&group.resource.attrs), group.records.len())).collect();
    let (plain, changed) =
        (vec![r#"host.name="h""#.to_owned()], vec![r#"host.name="h""#.to_owned(), "team=2".to_owned()]);
    assert_eq!(seen, [(plain.clone(), 1), (changed, 1), (plain, 1)]);
    assert_eq!(out.records().iter().map(|record| record.attrs.len()).collect::<Vec<_>>(), [1, 2, 1]);
    let none = TransformTest::of::<AttributesProcessor>("condition: attr[n] = 9\nresource: [{key: a, value: b}]")
        .run_batch(batch);
    assert_eq!(none.batches()[0].as_logs().expect("records").groups.len(), 1);
}

/// Scenario: every kind of mistake, among them keys of the Collector that mean nothing here.
/// Guarantee: told before start, all in one run, with what to write.
#[test]
fn mistakes_are_found_before_start() {
    let yaml = "
condition: proc.nam = x
include: {match_type: strict}
exclude: {match_type: strict}
actions:
- {value: x}
- {key: a}
- {key: a, value: x, template: y}
- {key: log.record.uid, value: x}
- {key: a, action: rename}
- {key: a.*, action: rename, to: b}
- {key: a, action: extract}
- {key: a, action: extract, pattern: x}
- {key: a, action: delete, value: x}
- {key: a, action: convert}
- {key: a, from_context: metadata.x}
- {key: a, template: '%proc.nam'}
resource: [{key: a, from_attribute: proc.nam}, {key: a, action: hash}]
";
    let findings = TransformTest::findings::<AttributesProcessor>(yaml);
    let said = format!("{findings:?}");
    for (part, count) in [
        ("did you mean", 3),
        ("said by `condition`", 2),
        ("there is no `key`", 1),
        ("a value from one place", 2),
        ("identifies the event", 1),
        ("needs `to`", 1),
        ("stands at the end of both", 1),
        ("needs `pattern`", 1),
        ("no named group", 1),
        ("means nothing to `action: delete`", 1),
        ("needs `converted_type`", 1),
        ("beside its records is not kept", 1),
        ("can be found by trying", 1),
    ] {
        assert_eq!(said.matches(part).count(), count, "{part}: {findings:#?}");
    }
    assert!(format!("{:?}", TransformTest::findings::<AttributesProcessor>("{}")).contains("there is no action"));
    assert!(
        format!("{:?}", TransformTest::findings::<AttributesProcessor>("actions: [{key: a, action: addd}]"))
            .contains("upsert")
    );
}

/// Records with some of the attributes that the test below acts on, and some others.
fn records() -> impl Strategy<Value = Vec<LogRecord>> {
    let value = prop_oneof![
        "[a-z]{0,8}".prop_map(Value::text),
        any::<i64>().prop_map(Value::Int),
        Just(Value::text("7")),
        Just(Value::Array(vec![Value::Bool(true)])),
        Just(Value::Empty),
    ];
    // Names that nobody acts on, and one that is there twice, now and then.
    let name =
        prop::sample::select(vec!["a", "b", "c", "team", "k8s.pod.name", "user.name", "log.record.uid", "", "x"]);
    let attrs = proptest::collection::vec((name, value), 0..8);
    let record = (attrs, 0..25u8, "[a-z ]{0,20}").prop_map(|(attrs, severity, body)| {
        let mut record = log().body(body).build();
        record.severity_number = SeverityNumber(severity);
        attrs.into_iter().for_each(|(name, value)| record.attrs.push(Key::intern(name), value));
        record
    });
    proptest::collection::vec(record, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Scenario: any records, once as records and once as untouched OTLP, for every action there is.
    /// Guarantee: both come out the same, attributes in the same order, with the same counts; OTLP stays OTLP where all names
    /// are known beforehand, and is asked to be decoded where they are not.
    #[test]
    fn untouched_otlp_is_changed_as_records_are(records in records()) {
        let group = LogGroup { records, ..LogGroup::default() };
        let decoded = Batch::logs(Logs { groups: vec![group] });
        let known = [
            "actions: [{key: a, action: insert, value: new}]",
            "actions: [{key: a, action: update, value: 7}]",
            "actions: [{key: a, value: true}, {key: absent, value: 1.5}]",
            "actions: [{key: b, action: delete}, {key: b, action: insert, value: last}]",
            "actions: [{key: c, action: rename, to: a}, {key: absent, action: rename, to: b}]",
            "actions: [{key: user.name, action: hash}]\nhash_key: k",
            "actions: [{key: b, action: convert, converted_type: int}]",
            "actions: [{key: a, action: extract, pattern: '^(?P<b>.)(?P<d>.*)'}]",
            "actions: [{key: copy, from_attribute: team}, {key: text, from_attribute: body}]",
            "actions: [{key: who, template: '%user.name in %k8s.pod.name: %output'}]",
            "condition: severity_number > 9 and attr[c] exists\nactions: [{key: c, action: delete}]",
            "condition: severity_number > 99\nactions: [{key: c, action: delete}]",
        ];
        let any = [
            "actions: [{key: '*', action: delete}]",
            "actions: [{key: 'k8s.*', action: rename, to: 'kube.*'}]",
            "actions: [{pattern: '^[ab]$', action: hash}]\nhash_key: k",
            "resource: [{key: a, value: b}]",
        ];
        for (yaml, known) in known.map(|yaml| (yaml, true)).into_iter().chain(any.map(|yaml| (yaml, false))) {
            let processor = TransformTest::of::<AttributesProcessor>(yaml);
            prop_assert_eq!(processor.reads_encoded(), known, "{}", yaml);
            if !known {
                continue;
            }
            let (expected, out) =
                (processor.run_batch(decoded.clone()), processor.run_batch(Batch::otlp(decoded.to_otlp())));
            prop_assert!(out.batches().iter().all(|batch| batch.as_otlp().is_some()));
            let changed: Vec<LogRecord> = emitted(&out).into_iter().map(|(.., record)| record).collect();
            prop_assert_eq!(changed, expected.records(), "{}", yaml);
            prop_assert_eq!(out.degraded(), expected.degraded(), "{}", yaml);
        }
    }
}
