//! Lanner's own rules: what each detects, what it leaves alone, and what is said of it.

use super::rig::{OBSERVED, built, data, record, rules_of};
use crate::falco_rules::{alert::MATCHED_UID, alerts::AlertSchema};
use lanner_engine::{
    prelude::*,
    semantics::{
        FalcoMapper, MappingOptions, keys,
        threat::{self, Threat},
    },
    testing::Transformed,
};
use lanner_rules::{
    builtin::{ALL, K8S_AUDIT, Ruleset as Builtin, SYSCALL_ALERTS},
    file::{Loader, Options},
    ruleset::Ruleset,
};
use serde_json::value::RawValue;
use std::{collections::BTreeMap, sync::Arc};

const AUDIT_CASES: &str = include_str!("../../../rules/builtin/testdata/k8s_audit.jsonl");
const ALERT_CASES: &str = include_str!("../../../rules/builtin/testdata/syscall_alerts.jsonl");

/// An event that a rule detects, and one that differs in what matters.
#[derive(Deserialize)]
struct Case<'c> {
    rule: &'c str,
    why: &'c str,
    #[serde(borrow)]
    r#match: &'c RawValue,
    #[serde(borrow)]
    near_miss: &'c RawValue,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A ruleset, with the findings about it.
fn loaded(builtin: &Builtin) -> (Ruleset, Vec<String>) {
    let mut options = Options::default();
    if builtin.name == "syscall" {
        options.sources = vec![("syscall".to_owned(), Arc::new(AlertSchema) as Arc<_>)];
    }
    let mut loader = Loader::new(options);
    let report = loader.load(builtin.file, builtin.text);
    let findings = report.diagnostics.iter().filter(|finding| finding.code.name() != "LOAD_NO_EVTTYPE");
    (loader.finish(), findings.map(ToString::to_string).collect())
}

/// What `k8s_audit` or `falco_http` makes of an event.
fn received(builtin: &Builtin, json: &RawValue) -> Batch {
    if builtin.name == "k8s_audit" {
        return Batch::logs(Logs::one(Arc::default(), Arc::default(), record(json.get())));
    }
    let mapper = FalcoMapper::new(&MappingOptions::default());
    let mapped = mapper.map_line(&json.get().into(), OBSERVED).expect("an alert");
    Batch::logs(Logs::one(mapped.resource, Arc::default(), mapped.record))
}

/// The rules that match, of those that carry `lanner.matched.uid`: an alert that is judged goes on with its own rule.
fn matches(out: &Transformed) -> Vec<String> {
    let records = out.records();
    let made = records.iter().filter(|record| record.attrs.contains(&MATCHED_UID));
    made.filter_map(|record| record.attrs.get_str(&keys::RULE)).map(str::to_owned).collect()
}

/// Scenario: both rulesets as they are.
/// Guarantee: nothing is found about them; every name of theirs begins so that it cannot clash; every rule has tags of
/// ATT&CK, and each id is one that has a name here.
#[test]
fn they_are_whole() {
    for builtin in &ALL {
        let (ruleset, findings) = loaded(builtin);
        assert_eq!(findings, [""; 0]);
        let names = ruleset.lists().iter().map(|(name, _)| name).chain(ruleset.macros().iter().map(|(name, _)| name));
        names.for_each(|name| assert!(name.starts_with("lanner_"), "{name}"));
        for rule in ruleset.rules() {
            let threats: Vec<_> = rule.tags.iter().filter_map(|tag| Threat::of_tag(tag)).collect();
            assert!(threats.iter().any(|threat| matches!(threat, Threat::Tactic(_))), "{}", rule.name);
            for threat in threats {
                let is_known = match threat {
                    Threat::Tactic(id) => threat::tactic_name(id).is_some(),
                    Threat::Technique(id) | Threat::Subtechnique(id) => threat::technique(id).is_some(),
                };
                assert!(is_known, "{}: {threat:?}", rule.name);
            }
            let misspelt = rule.tags.iter().find(|tag| tag.starts_with("mitre_") && Threat::of_tag(tag).is_none());
            assert_eq!(misspelt, None, "{}", rule.name);
        }
    }
}

/// Scenario: for each rule events that it is for, and for each of these one that differs in what matters.
/// Guarantee: the rule detects the first, as the first of all rules, and does not detect the second.
#[tokio::test]
async fn each_rule_detects_what_it_is_for() {
    for (builtin, text) in [(&K8S_AUDIT, AUDIT_CASES), (&SYSCALL_ALERTS, ALERT_CASES)] {
        let first = built(&format!("builtin: [{}]", builtin.name)).await;
        let all = built(&format!("builtin: [{}]\nrule_matching: all", builtin.name)).await;
        let mut missing: Vec<_> = loaded(builtin).0.rules().iter().map(|rule| rule.name.to_string()).collect();
        for case in cases(text) {
            let found = matches(&first.run_batch(received(builtin, case.r#match)));
            assert_eq!(found, [case.rule], "{}", case.r#match);
            let found = matches(&all.run_batch(received(builtin, case.near_miss)));
            assert!(!found.iter().any(|found| found == case.rule), "{}: {}: {}", case.rule, case.why, case.near_miss);
            missing.retain(|name| name != case.rule);
        }
        assert_eq!(missing, [""; 0], "rules without an event");
    }
}

/// Scenario: real events: captures of test clusters, of a tool's demo, and samples of attacks.
/// Guarantee: the rules that fire, and how often, are these; a change of a rule that makes it louder is seen here.
#[tokio::test]
async fn real_events_raise_these_alerts() {
    let Some(lines) = data::lines("dev/k8s_audit_events.jsonl") else { return };
    let test = built("builtin: [k8s_audit]").await;
    let out = test.run(lines.iter().map(|line| record(line)));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    rules_of(&out).into_iter().for_each(|rule| *counts.entry(rule).or_default() += 1);
    eprintln!("{} events: {counts:#?}", lines.len());
}
