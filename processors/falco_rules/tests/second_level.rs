//! Rules over Falco's alerts.

use super::rig::{get, rules_of, surroundings, with_rules};
use crate::testing::OBSERVED;
use lanner_engine::{
    prelude::*,
    semantics::{FalcoMapper, MappingOptions},
};

const ALERT: &str = r#"{"hostname":"node-1","rule":"Terminal shell in container","priority":"Notice","source":"syscall","time":"2026-01-01T00:00:00Z","output":"A shell","tags":["container","shell","T1059"],"output_fields":{"proc.name":"bash","proc.tty":34816,"container.id":"3ad7b26ded6d","container.image.repository":"shop/app","k8s.ns.name":"web","k8s.pod.name":"shop-1","evt.time":1767225600000000000}}"#;

const RULES: &str = r#"
- macro: container
  condition: (container.id != host)

- rule: Shell In Web
  desc: Somebody types into a shell where there should be none.
  condition: container and k8s.ns.name = web and proc.name = bash and proc.tty != 0 and falco.tags intersects (T1059) and security_rule.name startswith Terminal
  output: "shell in web (pod=%k8s.pod.name process=%proc.name by=%security_rule.name)"
  priority: CRITICAL
  source: syscall
  tags: [mitre_execution, T1059.004]

- rule: On The Host
  desc: Something on a host.
  condition: container.id = host
  output: "on the host (process=%proc.name)"
  priority: INFO
  source: syscall
"#;

fn received(json: &str) -> Batch {
    let mapped = FalcoMapper::new(&MappingOptions::default()).map_line(&json.into(), OBSERVED).expect("an alert");
    Batch::logs(Logs::one(mapped.resource, Default::default(), mapped.record))
}

/// Scenario: an alert that a second-level rule is about; one that none is about; one without a container; one of another
/// source.
/// Guarantee: every alert goes on as it is. What a rule finds is an alert of its own, of the same resource and time, linked
/// to the first by its id; it counts as created.
#[tokio::test]
async fn findings_join_the_alerts_they_are_about() {
    let test = with_rules("second", RULES, "alert_sources: [syscall]").await;
    let out = test.run_batch(received(ALERT));
    assert_eq!(rules_of(&out), ["Shell In Web", "Terminal shell in container"]);
    assert_eq!((out.created(), out.discarded()), (1, vec![]));
    let logs = out.batches()[0].as_logs().expect("decoded");
    let (finding, original) = (&logs.groups[0].records[0], &logs.groups[1].records[0]);
    assert_eq!(logs.groups[0].resource, logs.groups[1].resource);
    assert_eq!(Some(original), received(ALERT).records().next());
    assert_eq!(finding.body.as_str(), Some("shell in web (pod=shop-1 process=bash by=Terminal shell in container)"));
    assert_eq!(finding.time_unix_nano, original.time_unix_nano);
    assert_eq!(finding.severity_number, Priority::Critical.severity_number());
    assert_eq!(get(finding, "lanner.matched.uid"), get(original, "log.record.uid"));
    assert_eq!(get(finding, "falco.source").as_deref(), Some(r#""syscall""#));

    let elsewhere = ALERT.replace(r#""web""#, r#""db""#);
    assert_eq!(rules_of(&test.run_batch(received(&elsewhere))), ["Terminal shell in container"]);
    let host = ALERT.replace(r#""3ad7b26ded6d""#, r#""host""#);
    assert_eq!(rules_of(&test.run_batch(received(&host))), ["On The Host", "Terminal shell in container"]);
    let cloud = ALERT.replace("\"syscall\"", "\"aws_cloudtrail\"");
    assert_eq!(rules_of(&test.run_batch(received(&cloud))), ["Terminal shell in container"]);
}

/// Scenario: two processors with the same rules behind each other.
/// Guarantee: the second does not judge what the first found, and finds for the alert what the first found, with the
/// same id, so that it can be recognised as a repetition.
#[tokio::test]
async fn findings_are_not_judged_again() {
    let rules = RULES.replace("container.id = host", "proc.name exists");
    let test = with_rules("again", &rules, "alert_sources: [syscall]\nrule_matching: all").await;
    let once = test.run_batch(received(ALERT));
    let twice = test.run_batch(once.batches()[0].clone());
    assert_eq!((once.created(), twice.created()), (2, 2));
    let ids = |records: Vec<LogRecord>| {
        let mut ids: Vec<_> = records.iter().map(|record| get(record, "log.record.uid")).collect();
        ids.sort();
        ids.dedup();
        ids
    };
    assert_eq!(ids(once.records()), ids(twice.records()));
}

/// Scenario: rules for system calls, as they come with Falco, in a folder of rules for audit events.
/// Guarantee: they load and are tried on nothing, so that no alert is there twice.
#[tokio::test]
async fn rules_of_other_sources_are_only_checked() {
    let rules =
        RULES.replace("falco.tags intersects (T1059) and security_rule.name startswith Terminal", "evt.type = execve");
    let rules = rules.replace(" by=%security_rule.name", "");
    let test = with_rules("idle", &rules, "").await;
    assert_eq!(rules_of(&test.run_batch(received(ALERT))), ["Terminal shell in container"]);
}

/// Scenario: rules that match, and metrics.
/// Guarantee: what was judged and what each rule found is counted.
#[tokio::test]
async fn matches_are_counted() {
    let folder = super::rig::Folder::new("counted");
    folder.write("a.yaml", RULES);
    let cx = surroundings();
    let yaml = format!("rules_files: ['{}']\nalert_sources: [syscall]", folder.path().display());
    let built = lanner_engine::testing::TransformTest::built::<super::FalcoRules>(&yaml, &cx).await.unwrap();
    let test = lanner_engine::testing::TransformTest::new(built);
    for _ in 0..3 {
        test.run_batch(received(ALERT));
    }
    let series = |name: &str, label: &str| {
        let metric = cx.telemetry.metric(name).unwrap();
        let found = metric.series.iter().find(|(labels, _)| labels.iter().any(|(_, value)| value == label));
        found.map(|(_, value)| *value)
    };
    assert_eq!(series("lanner_falco_rules_matches", "Shell In Web"), Some(3));
    assert_eq!(series("lanner_falco_rules_matches", "On The Host"), Some(0));
    assert_eq!(series("lanner_falco_rules_judged", "alert"), Some(3));
    assert_eq!(series("lanner_falco_rules_judged", "audit_event"), Some(0));
    assert_eq!(series("lanner_falco_rules_enabled", "falco_rules"), Some(2));
}
