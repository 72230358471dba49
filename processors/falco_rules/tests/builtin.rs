//! Lanner's own rules: what each detects, what it leaves alone, and what is said of it.

use super::rig::{built, record, rules_of};
use crate::{
    falco_rules::{alert::MATCHED_UID, alerts::AlertSchema},
    testing::{OBSERVED, lines},
};
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
                let is_known = threat::tactic_name(id(threat)).is_some() || threat::technique(id(threat)).is_some();
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
    let Some(lines) = lines("dev/k8s_audit_events.jsonl") else { return };
    let test = built("builtin: [k8s_audit]").await;
    let out = test.run(lines.iter().map(|line| record(line)));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    rules_of(&out).into_iter().for_each(|rule| *counts.entry(rule).or_default() += 1);
    let expected = [
        ("Anonymous Request Granted", 2),
        ("Cluster Admin Rights Granted", 2),
        ("Command Run In Container", 5),
        ("Identity Impersonated", 18),
        ("Pod Mounts Sensitive Host Path", 3),
        ("Pod Shares Host Namespaces", 7),
        ("Privileged Pod Created", 4),
        ("Role Allows Control Of Containers Or Tokens", 2),
        ("Role Allows Everything", 4),
        ("Scheduled Job Created", 1),
        ("Secret Read Denied", 2),
        ("System Namespace Changed", 5),
        ("System Role Changed", 3),
    ];
    let counts: Vec<_> = counts.iter().map(|(rule, count)| (rule.as_str(), *count)).collect();
    assert_eq!((lines.len(), counts), (203, expected.to_vec()));
}

/// Scenario: the README of the rulesets.
/// Guarantee: its tables have every rule with its priority, ATT&CK ids and what it tells; `LANNER_BLESS=1` writes them
/// anew.
#[test]
fn the_readme_describes_every_rule() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../rules/builtin/README.md");
    let committed = std::fs::read_to_string(path).unwrap();
    let mut current = committed.clone();
    for builtin in &ALL {
        let mut table = String::from("| rule | priority | ATT&CK | tells |\n|---|---|---|---|\n");
        for rule in loaded(builtin).0.rules() {
            let ids: Vec<_> = rule.tags.iter().filter_map(|tag| Threat::of_tag(tag)).map(id).collect();
            let description = rule.description.split_whitespace().collect::<Vec<_>>().join(" ");
            let priority = rule.priority.word();
            table += &format!("| {} | {priority} | {} | {description} |\n", rule.name, ids.join(" "));
        }
        let begin = format!("<!-- rules of {} -->\n", builtin.name);
        let (before, rest) = current.split_once(&begin).expect("the mark");
        let (_, after) = rest.split_once("<!-- end of rules -->").expect("the end mark");
        current = format!("{before}{begin}{table}<!-- end of rules -->{after}");
    }
    if std::env::var_os("LANNER_BLESS").is_some() {
        std::fs::write(path, &current).unwrap();
    } else {
        assert_eq!(committed, current, "write it anew with LANNER_BLESS=1");
    }
}

/// Scenario: a user takes the example of the README as a file of their own.
/// Guarantee: it loads behind Lanner's rules without a finding.
#[test]
fn the_readme_shows_how_to_adapt_them() {
    let readme = include_str!("../../../rules/builtin/README.md");
    let (_, example) = readme.split_once("```yml\n").expect("an example");
    let example = example.split("```").next().expect("its end");
    let mut loader = Loader::new(Options::default());
    loader.load(K8S_AUDIT.file, K8S_AUDIT.text);
    let report = loader.load("example.yaml", example);
    let findings: Vec<_> = report.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(findings, [""; 0]);
}

fn id<'t>(threat: Threat<'t>) -> &'t str {
    match threat {
        Threat::Tactic(id) | Threat::Technique(id) | Threat::Subtechnique(id) => id,
    }
}
