//! What the rules for audit events detect.

use super::{
    cases::{Expected, Hint},
    data::{Tally, json, path},
};
use lanner_rules::{
    audit::{AuditEvent, AuditPlan, Meta, Parity, SOURCE},
    evaluate::{Arena, Run},
    file::{Diagnostic, Loader, Options},
    ruleset::{CompiledRule, Ruleset},
};
use serde_json::Value;
use std::{collections::BTreeMap, fs};

/// What is known of an alert.
#[derive(Debug)]
struct Alert {
    rule: String,
    priority: String,
    time_ns: u64,
    message: String,
}

impl Alert {
    fn is_as(&self, hint: &Hint) -> bool {
        (&self.rule, self.time_ns, &self.message) == (&hint.rule, hint.time_ns, &hint.message)
            && self.priority.starts_with(&hint.priority)
    }
}

/// Loads the files of a case; every file must be taken.
pub fn load(files: &[std::path::PathBuf]) -> Ruleset {
    let mut loader = Loader::new(Options::default());
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let report = loader.load(&file.display().to_string(), &text);
        let errors: Vec<String> = report.errors().map(Diagnostic::to_string).collect();
        assert!(report.accepted, "{}:\n{}", file.display(), errors.join("\n"));
    }
    loader.finish()
}

/// The events of a text: one JSON value a line, an Event, an EventList or an array.
pub fn events(text: &str) -> Vec<String> {
    fn flatten(value: Value, out: &mut Vec<String>) {
        match value {
            Value::Array(members) => members.into_iter().for_each(|member| flatten(member, out)),
            Value::Object(mut object) if object.get("kind").and_then(Value::as_str) == Some("EventList") => {
                flatten(object.remove("items").unwrap_or_default(), out);
            }
            Value::Object(object) => out.push(Value::Object(object).to_string()),
            _ => {}
        }
    }
    let mut out = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        flatten(value.unwrap(), &mut out);
    }
    out
}

fn alert(ruleset: &Ruleset, hit: &CompiledRule, run: &Run<'_, AuditEvent<'_>>, event: &AuditEvent<'_>) -> Alert {
    let rule = &ruleset.rules()[hit.rule];
    let mut message = String::new();
    hit.template.render(run, &mut message);
    Alert {
        rule: rule.name.to_string(),
        priority: rule.priority.word().to_uppercase(),
        time_ns: event.time().unwrap_or_default(),
        message,
    }
}

/// Scenario: the plugin's tests upstream, old rule files among them.
/// Guarantee: all files load; exactly the asserted detections, priorities and absences. The independent hints are
/// compared as well, messages included.
#[test]
fn detects_what_falco_does() {
    let Some(folder) = path("k8saudit") else { return };
    let mut tally = Tally::new("k8saudit detections");
    let mut hints = Tally::new("k8saudit hints");
    let mut cases: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    for case in cases.iter().filter(|case| case.join("expected.json").exists()) {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let expected: Expected = json(&format!("k8saudit/{name}/expected.json")).unwrap();
        let list = fs::read_to_string(case.join("rules_files.txt")).unwrap();
        let files: Vec<_> = list.split_whitespace().map(|file| case.join(file)).collect();
        let ruleset = load(&files);
        let found = detect(&ruleset, &fs::read_to_string(case.join("events.json")).unwrap());
        for (rule, count) in &expected.rule_counts {
            tally.check(found.first.get(rule) == Some(count), || format!("{name}: {rule}: {:?}", found.first));
        }
        let total: usize = found.first.values().sum();
        if let Some(expected) = expected.total {
            tally.check(total == expected, || format!("{name}: {total}, not {expected}: {:?}", found.first));
        }
        for priority in &expected.asserted.has_priority {
            let is_there = found.alerts.iter().any(|alert| alert.priority.starts_with(priority.as_str()));
            tally.check(is_there, || format!("{name}: nothing of {priority}"));
        }
        for priority in &expected.asserted.no_priority {
            let is_there = found.alerts.iter().any(|alert| alert.priority.starts_with(priority.as_str()));
            tally.check(!is_there, || format!("{name}: something of {priority}"));
        }
        let Some(derived) = expected.derived else { continue };
        hints.check(found.first == derived.first.rule_counts, || format!("{name} first: {:?}", found.first));
        hints.check(found.all == derived.all.rule_counts, || format!("{name} all: {:?}", found.all));
        for wanted in &derived.alerts_first {
            let is_there = found.alerts.iter().any(|alert| alert.is_as(wanted));
            hints.check(is_there, || format!("{name}: {wanted:?} not in {:?}", found.alerts));
        }
    }
    tally.finish(40);
    hints.finish(75);
}

struct Found {
    first: BTreeMap<String, usize>,
    all: BTreeMap<String, usize>,
    alerts: Vec<Alert>,
}

fn detect(ruleset: &Ruleset, text: &str) -> Found {
    let rules = ruleset.source(SOURCE).unwrap();
    let plan = AuditPlan::new(rules.fields(), Parity::Corrected);
    let mut found = Found { first: BTreeMap::new(), all: BTreeMap::new(), alerts: Vec::new() };
    let mut arena = Arena::new();
    for text in events(text) {
        arena.reset();
        let event = AuditEvent::new(text.as_bytes(), Meta::default(), &plan, &arena).unwrap();
        let run = Run::new(rules.program(), &event, &arena);
        if let Some(hit) = rules.first(&run) {
            let alert = alert(ruleset, hit, &run, &event);
            *found.first.entry(alert.rule.clone()).or_default() += 1;
            found.alerts.push(alert);
        }
        for hit in rules.all(&run) {
            *found.all.entry(ruleset.rules()[hit.rule].name.to_string()).or_default() += 1;
        }
    }
    found
}

/// Scenario: every rule file of the data is loaded by itself, and the overlay for GKE on top of the stock rules.
/// Guarantee: the stock rules load without an error or an unexpected warning; 48 rules are there; what does not load
/// alone is only what refers to other files.
#[test]
fn the_stock_rules_load() {
    let Some(folder) = path("k8saudit/rules") else { return };
    let stock = folder.join("k8s_audit_rules.yaml");
    let mut loader = Loader::new(Options::default());
    let report = loader.load("k8s_audit_rules.yaml", &fs::read_to_string(&stock).unwrap());
    let said: Vec<String> = report.diagnostics.iter().map(Diagnostic::to_string).collect();
    assert!(report.accepted && said.is_empty(), "{}", said.join("\n"));
    assert_eq!(loader.rules().rules().len(), 48);
    assert_eq!(loader.rules().rules().iter().filter(|rule| rule.compiled).count(), 48);
    let report = loader.load("gke", &fs::read_to_string(folder.join("k8s_audit_rules_gke.yaml")).unwrap());
    let said: Vec<String> = report.diagnostics.iter().map(Diagnostic::to_string).collect();
    assert!(report.accepted, "{}", said.join("\n"));
    let rule = loader.rules().rule("Disallowed K8s User").unwrap();
    assert!(rule.compiled_condition.contains("ka.user.name endswith @container-engine-robot"), "{rule:?}");
    for file in ["falco_rules_0.1.0.yaml", "legacy_falco_rules_v1_0_1.yaml", "k8s_audit_rules_k8saudit_0.5.0.yaml"] {
        let ruleset = load(&[folder.join(file)]);
        let compiled = ruleset.rules().iter().filter(|rule| rule.compiled).count();
        println!("{file}: {compiled} of {} rules compiled", ruleset.rules().len());
        assert_eq!(compiled, ruleset.rules().len());
    }
}
