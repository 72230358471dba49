//! Falco's own rules for audit events, from the sample data: loaded as they are, run inside of a pipeline.

use super::rig::{built, record, rules_of};
use crate::testing::{lines, path};
use serde::Deserialize;
use serde_json::Value as Json;
use std::{collections::BTreeMap, fs};

#[derive(Deserialize)]
struct Expected {
    rule_counts: BTreeMap<String, usize>,
    total: Option<usize>,
}

/// The events of a text: one JSON value a line, an Event, an EventList or an array.
fn events(text: &str) -> Vec<String> {
    let values = serde_json::Deserializer::from_str(text).into_iter::<Json>().map(Result::unwrap);
    let several = |value: Json| match value {
        Json::Array(items) => items,
        Json::Object(mut list) if list.contains_key("items") => match list.remove("items") {
            Some(Json::Array(items)) => items,
            _ => Vec::new(),
        },
        one => vec![one],
    };
    values.flat_map(several).map(|event| event.to_string()).collect()
}

/// Scenario: the cases that the plugin's own tests assert, with the rule files they name, official and old ones.
/// Guarantee: every file loads as it is; the processor makes exactly the alerts that are asserted.
#[tokio::test]
async fn falcos_own_cases_hold() {
    let Some(folder) = path("../conformance/k8saudit") else { return };
    let mut checked = 0;
    // Old files are large, and loading them takes a while where nothing is optimised.
    let mut tests = BTreeMap::new();
    let mut cases: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    for case in cases.iter().filter(|case| case.join("expected.json").exists()) {
        let read = |name: &str| fs::read_to_string(case.join(name)).unwrap();
        let expected: Expected = serde_json::from_str(&read("expected.json")).unwrap();
        let list = read("rules_files.txt").replace("../", "");
        if !tests.contains_key(&list) {
            let files: Vec<_> = list.split_whitespace().map(|file| folder.join(file).display().to_string()).collect();
            tests.insert(list.clone(), built(&format!("rules_files: [{}]", files.join(", "))).await);
        }
        let test = &tests[&list];
        let out = test.run(events(&read("events.json")).iter().map(|event| record(event)));
        let found = rules_of(&out);
        for (rule, count) in &expected.rule_counts {
            assert_eq!(found.iter().filter(|found| *found == rule).count(), *count, "{}: {rule}", case.display());
            checked += 1;
        }
        if let Some(total) = expected.total {
            assert_eq!(found.len(), total, "{}: {found:?}", case.display());
            checked += 1;
        }
    }
    assert!(checked >= 21, "{checked}");
}

/// Scenario: the official rules with Lanner's in front of them, over real events.
/// Guarantee: both load together; with every rule counting, each official rule matches as often as without Lanner's.
#[tokio::test]
async fn official_rules_and_lanners_stand_side_by_side() {
    let Some(rules) = path("../conformance/k8saudit/rules/k8s_audit_rules.yaml") else { return };
    let Some(lines) = lines("dev/k8s_audit_events.jsonl") else { return };
    let files = format!("rules_files: ['{}']\nrule_matching: all\n", rules.display());
    let counted = async |yaml: &str| {
        let out = built(yaml).await.run(lines.iter().map(|line| record(line)));
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        rules_of(&out).into_iter().for_each(|rule| *counts.entry(rule).or_default() += 1);
        counts
    };
    let alone = counted(&files).await;
    let mut together = counted(&format!("{files}builtin: [k8s_audit]")).await;
    together.retain(|rule, _| alone.contains_key(rule));
    assert!(alone.len() > 10, "{alone:?}");
    assert_eq!(together, alone);
}
