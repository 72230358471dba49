use super::Filter;
use crate::testing::emitted;
use lanner_engine::{
    event::{LogGroup, SeverityNumber},
    prelude::*,
    testing::{TransformTest, log},
};
use proptest::prelude::*;
use std::sync::Arc;

/// An alert with one attribute or severity after the other changed by the test.
fn alert(rule: &'static str, priority: Priority, tags: &[&'static str]) -> LogRecord {
    let mut record = log()
        .event_name("falco.alert")
        .body("A shell was spawned (user=root)")
        .attr("security_rule.name", rule)
        .attr("falco.priority", priority.lower())
        .attr("falco.source", "syscall")
        .build();
    record.severity_number = priority.severity_number();
    record.attrs.set("falco.tags", tags.iter().map(|tag| Text::from_static(tag)).collect::<Value>());
    record
}

fn rules(records: &[LogRecord]) -> Vec<&str> {
    let rule = Key::intern("security_rule.name");
    records.iter().map(|record| record.attrs.get_str(&rule).unwrap_or("(none)")).collect()
}

/// Scenario: every condition alone, with one alert that meets it and one that does not.
/// Guarantee: exactly the other one is left out, under the name of the condition.
#[test]
fn each_condition_leaves_out_what_fails_it() {
    let kept = alert("Terminal shell in container", Priority::Error, &["container", "shell"]);
    let mut audit = alert("K8s", Priority::Error, &["container", "shell"]);
    audit.attrs.set("falco.source", "k8s_audit");
    let mut quiet = alert("Terminal shell in container", Priority::Error, &["container", "shell"]);
    quiet.body = Value::text("nothing to see");
    for (yaml, other, reason) in [
        ("min_priority: error", alert("x", Priority::Warning, &[]), "min_priority"),
        ("require_tags: [container, shell]", alert("x", Priority::Error, &["container"]), "require_tags"),
        ("exclude_tags: [noise]", alert("x", Priority::Error, &["container", "noise"]), "exclude_tags"),
        ("rule: ^Terminal", alert("x Terminal", Priority::Error, &[]), "rule"),
        ("output: user=root", quiet, "output"),
        ("source: syscall", audit.clone(), "source"),
        ("source: [plugin, syscalls]", audit, "source"),
    ] {
        let out = TransformTest::of::<Filter>(yaml).run([other, kept.clone()]);
        assert_eq!(out.records(), std::slice::from_ref(&kept), "{yaml}");
        assert_eq!(out.discarded(), [(reason, 1)], "{yaml}");
    }
}

/// Scenario: priorities from Debug to Emergency against `warning`.
/// Guarantee: the threshold itself passes; the order is Falco's.
#[test]
fn the_threshold_passes() {
    let all = Priority::ALL.map(|priority| alert(priority.title(), priority, &[]));
    let out = TransformTest::of::<Filter>("min_priority: warning").run(all);
    assert_eq!(rules(&out.records()), ["Warning", "Error", "Critical", "Alert", "Emergency"]);
    assert_eq!(out.discarded(), [("min_priority", 3)]);
}

/// Scenario: an alert with an unknown priority word, and one that has only the word because a hop lost the number.
/// Guarantee: the unknown one is kept; the other is judged by its word.
#[test]
fn an_unknown_priority_is_never_filtered_away() {
    let mut unknown = alert("unknown", Priority::Debug, &[]);
    unknown.severity_number = SeverityNumber::UNSPECIFIED;
    unknown.attrs.set("falco.priority", "urgent-ish");
    let mut word_only = alert("word", Priority::Debug, &[]);
    word_only.severity_number = SeverityNumber::UNSPECIFIED;
    let out = TransformTest::of::<Filter>("min_priority: emergency").run([unknown, word_only]);
    assert_eq!(rules(&out.records()), ["unknown"]);
    assert_eq!(out.discarded(), [("min_priority", 1)]);
}

/// Scenario: a plain line between alerts, with `non_alerts` left alone and set to `drop`.
/// Guarantee: kept and not judged by the conditions; with `drop` left out under its own reason.
#[test]
fn records_that_are_no_alerts_are_kept_unless_told() {
    let line = log().body("Falco initialized").build();
    let out = TransformTest::of::<Filter>("min_priority: error").run([line.clone()]);
    assert_eq!(out.records(), std::slice::from_ref(&line));
    let kept = alert("a", Priority::Error, &[]);
    let out = TransformTest::of::<Filter>("non_alerts: drop").run([line, kept.clone()]);
    assert_eq!(out.records(), [kept]);
    assert_eq!(out.discarded(), [("non_alert", 1)]);
}

/// Scenario: an alert that fails several conditions.
/// Guarantee: counted once.
#[test]
fn each_alert_is_counted_once() {
    let yaml = "min_priority: alert\nsource: k8s_audit\nrule: nothing";
    let out = TransformTest::of::<Filter>(yaml).run([alert("a", Priority::Debug, &[])]);
    assert!(out.records().is_empty());
    assert_eq!(out.discarded(), [("min_priority", 1)]);
}

/// Scenario: a condition beside a plain key, over alerts, an audit event and a plain line, in two groups of which one has a
/// namespace.
/// Guarantee: only what the condition holds for stays, alerts or not; the plain keys are asked first and of alerts only.
#[test]
fn a_condition_can_speak_of_any_record_and_its_resource() {
    let yaml = "min_priority: warning\ncondition: k8s.ns.name = prod and (rule exists or ka.verb = delete)";
    let audit = log().event_name("k8s.audit.event").attr("k8s.audit.event.request.verb", "delete").build();
    let records = vec![
        alert("loud", Priority::Error, &[]),
        alert("quiet", Priority::Notice, &[]),
        audit.clone(),
        log().body("a line").build(),
    ];
    let group = |namespace: Option<&str>| {
        let mut resource = Resource::default();
        if let Some(name) = namespace {
            resource.attrs.set("k8s.namespace.name", name.to_owned());
        }
        LogGroup { resource: Arc::new(resource), scope: Arc::default(), records: records.clone() }
    };
    let logs = Logs { groups: vec![group(None), group(Some("prod"))] };
    let out = TransformTest::of::<Filter>(yaml).run_batch(Batch::logs(logs));
    assert_eq!(out.records(), [records[0].clone(), audit]);
    assert_eq!(out.discarded(), [("condition", 4), ("min_priority", 2)]);
    let out = TransformTest::of::<Filter>("non_alerts: drop\ncondition: rule = loud").run(records);
    assert_eq!(rules(&out.records()), ["loud"]);
    assert_eq!(out.discarded(), [("condition", 1), ("non_alert", 2)]);
}

/// Scenario: no condition; a condition that is none; a tag both required and excluded; an empty list of sources.
/// Guarantee: a warning for the first, errors at their places for the others.
#[test]
fn mistakes_are_found_before_start() {
    let findings = TransformTest::findings::<Filter>("{}");
    assert!(findings[0].message.contains("everything passes"), "{findings:?}");
    let findings = TransformTest::findings::<Filter>("condition: proc.nam = bash");
    assert_eq!(findings.len(), 1, "not that no key is set: {findings:?}");
    assert!(
        findings[0].path.ends_with("filter::condition") && findings[0].message.contains("proc.nam"),
        "{findings:?}"
    );
    let findings = TransformTest::findings::<Filter>("require_tags: [a]\nexclude_tags: [a]\nsource: []");
    let messages: Vec<_> = findings.iter().map(|finding| finding.message.as_str()).collect();
    assert!(messages.iter().any(|text| text.contains("`a` is both")), "{messages:?}");
    assert!(messages.iter().any(|text| text.contains("list is empty")), "{messages:?}");
}

/// Alerts, internal messages, audit events and lines that most filters of the test below tell apart.
fn records() -> impl Strategy<Value = Vec<LogRecord>> {
    let name = prop::sample::select(vec!["falco.alert", "falco.internal", "k8s.audit.event", ""]);
    let attr = |name: &'static str, values: &[&'static str]| {
        prop::option::of(prop::sample::select(values.to_vec())).prop_map(move |value| (name, value.map(Value::text)))
    };
    let tags = prop::option::of(prop::sample::subsequence(vec!["a", "b", "c"], 0..=3))
        .prop_map(|tags| ("falco.tags", tags.map(|tags| tags.into_iter().map(Text::from_static).collect::<Value>())));
    let attrs = (
        attr("event.name", &["falco.alert", "other"]),
        attr("security_rule.name", &["Shell", "Shell in pod"]),
        attr("falco.priority", &["debug", "error"]),
        attr("falco.source", &["internal", "syscall", "k8s_audit"]),
        tags,
        attr("k8s.ns.name", &["prod", "dev"]),
        attr("not.looked.at", &["x"]),
    );
    let record = (name, 0..25u8, prop::sample::select(vec!["a shell", "nothing"]), attrs).prop_map(
        |(name, severity, body, (event, rule, priority, source, tags, namespace, other))| {
            let mut record = log().event_name(name).body(body).build();
            record.severity_number = SeverityNumber(severity);
            for (name, value) in [event, rule, priority, source, tags, namespace, other] {
                value.into_iter().for_each(|value| record.attrs.set(name, value));
            }
            record
        },
    );
    proptest::collection::vec(record, 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Scenario: any records, once as records and once as untouched OTLP, for every key that a filter has.
    /// Guarantee: the same ones are kept, and the same number is left out for each reason; OTLP stays OTLP.
    #[test]
    fn untouched_otlp_is_filtered_as_records_are(records in records()) {
        let group = LogGroup { records, ..LogGroup::default() };
        let decoded = Batch::logs(Logs { groups: vec![group] });
        let untouched = Batch::otlp(decoded.to_otlp());
        for yaml in [
            "min_priority: warning",
            "require_tags: [a, b]",
            "exclude_tags: [c]",
            "rule: ^Shell$",
            "output: shell",
            "source: [syscall, internal]",
            "non_alerts: drop",
            "condition: severity_number >= 9",
            "condition: k8s.ns.name = prod and body contains shell",
            "condition: priority >= error or tags intersects (b, c)",
            "min_priority: debug\nsource: k8s_audit\ncondition: event_name exists and rule exists",
        ] {
            let filter = TransformTest::of::<Filter>(yaml);
            let (expected, out) = (filter.run_batch(decoded.clone()), filter.run_batch(untouched.clone()));
            prop_assert!(out.batches().iter().all(|batch| batch.as_otlp().is_some()));
            let kept: Vec<LogRecord> = emitted(&out).into_iter().map(|(.., record)| record).collect();
            prop_assert_eq!(kept, expected.records(), "{}", yaml);
            let mut discarded = [out.discarded(), expected.discarded()];
            discarded.iter_mut().for_each(|reasons| reasons.sort());
            prop_assert_eq!(&discarded[0], &discarded[1], "{}", yaml);
        }
    }
}
