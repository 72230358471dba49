//! The test data of the Falco projects through the command: what is detected, what is a condition, what is a rule file.
//! The crate of the rules runs the same cases without it; what is not run there, and why, is the same list.

#[path = "../../rules/tests/conformance/cases.rs"]
mod cases;
#[path = "../../rules/tests/conformance/data.rs"]
mod data;

use crate::support::lanner::{TempDir, command, command_with};
use cases::{EvalCase, EvalCases, Expected, LoaderCase, LoaderCases, ParserCase, ValidationCase, without_counterpart};
use data::{Tally, json as cases_of, path};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, process::Output};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    text(bytes).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Alerts by rule.
fn counts(alerts: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for alert in alerts {
        *counts.entry(alert["rule"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

/// Scenario: every case of the plugin's tests upstream, by the first rule with the plugin's mistakes corrected, and by all
/// rules with its mistakes kept.
/// Guarantee: exactly the asserted detections and priorities; the messages and times of the independent hints.
#[test]
fn eval_detects_what_falco_does() {
    let Some(folder) = path("k8saudit") else { return };
    let mut tally = Tally::new("rules eval: k8saudit");
    let mut cases: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    for case in cases.iter().filter(|case| case.join("expected.json").exists()) {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let expected: Expected = cases_of(&format!("k8saudit/{name}/expected.json")).unwrap();
        let files = fs::read_to_string(case.join("rules_files.txt")).unwrap();
        let files: Vec<String> = files.split_whitespace().map(|file| case.join(file).display().to_string()).collect();
        let events = case.join("events.json").display().to_string();
        let mut run = |matching: &str, parity: &str| {
            let mut args = vec!["rules", "eval", "--matching", matching, "--parity", parity];
            files.iter().for_each(|file| args.extend(["--rules", file]));
            let output = command(&[&args[..], &[&events]].concat());
            tally.check(output.status.success(), || format!("{name}: {}", text(&output.stderr)));
            lines(&output.stdout)
        };
        let (first, all) = (run("first", "corrected"), run("all", "corrected"));
        let (found, upstream) = (counts(&first), counts(&run("first", "upstream")));
        tally
            .check(found == upstream, || format!("{name}: {upstream:?} with the plugin's mistakes, {found:?} without"));
        for (rule, count) in &expected.rule_counts {
            tally.check(found.get(rule) == Some(count), || format!("{name}: {rule}: {found:?}"));
        }
        if let Some(total) = expected.total {
            tally.check(first.len() == total, || format!("{name}: {found:?}, not {total}"));
        }
        let has = |priority: &String| {
            first.iter().any(|alert| alert["priority"].as_str().unwrap().to_uppercase().starts_with(priority))
        };
        for priority in &expected.asserted.has_priority {
            tally.check(has(priority), || format!("{name}: nothing of {priority}"));
        }
        for priority in &expected.asserted.no_priority {
            tally.check(!has(priority), || format!("{name}: something of {priority}"));
        }
        let Some(derived) = expected.derived else { continue };
        tally.check(found == derived.first.rule_counts, || format!("{name} first: {found:?}"));
        tally.check(counts(&all) == derived.all.rule_counts, || format!("{name} all: {:?}", counts(&all)));
        for hint in &derived.alerts_first {
            let is_there = first.iter().any(|alert| {
                alert["rule"] == hint.rule
                    && alert["output_fields"]["evt.time"] == hint.time_ns
                    && alert["output"].as_str().unwrap().ends_with(&format!(" {}", hint.message))
            });
            tally.check(is_there, || format!("{name}: {hint:?} not in {first:?}"));
        }
    }
    tally.finish(170);
}

/// Scenario: every expression of the parser's tests upstream, with other blanks too, in one batch; and what comes out once
/// more.
/// Guarantee: it is accepted or rejected as there; the normal form is its own normal form.
#[test]
fn parse_accepts_and_rejects_what_falco_does() {
    let Some(cases) = cases_of::<Vec<ParserCase>>("filter_parser_cases.json") else { return };
    let mut tally = Tally::new("rules parse: filter_parser_cases");
    let expected: Vec<(String, bool)> =
        cases.iter().flat_map(|case| case.variants().into_iter().map(|text| (text, case.valid))).collect();
    let batch = |texts: Vec<&str>| {
        let input: String = texts.iter().map(|text| format!("{text}\0")).collect();
        let rows = lines(&command_with(&["rules", "parse", "-", "-0", "--format", "json"], input.as_bytes()).stdout);
        assert_eq!(rows.len(), texts.len());
        rows
    };
    let rows = batch(expected.iter().map(|(text, _)| text.as_str()).collect());
    for ((text, valid), row) in expected.iter().zip(&rows) {
        tally.check(row["valid"] == *valid, || format!("{text:?} should be valid: {valid}; {row}"));
    }
    let printed: Vec<&str> = rows.iter().filter_map(|row| row["condition"].as_str()).collect();
    for (row, text) in batch(printed.clone()).iter().zip(printed) {
        tally.check(row["condition"] == text, || format!("{text} comes out as {row}"));
    }
    tally.finish(2000);
}

/// Only the tests upstream have fields such as `c.true`; conditions with them are skipped as rules.
const ONLY_UPSTREAM: &str = "has fields that no source has";
/// The number of an event is its place in the input.
const NUMBERED: &str = "depends on the number of the event";

/// Scenario: every evaluation that the tests upstream assert, each as a rule over an alert with the fields of its event; all
/// rules are evaluated over all events in one run.
/// Guarantee: each rule matches its event, or not, as asserted there.
#[test]
fn eval_evaluates_as_falco_does() {
    let Some(EvalCases { cases }) = cases_of::<EvalCases>("filter_eval_cases.json") else { return };
    let mut tally = Tally::new("rules eval: filter_eval_cases");
    let (mut rules, mut events) = (String::new(), String::new());
    for (number, case) in cases.iter().enumerate() {
        // A JSON string is one in YAML, too.
        let condition = Value::from(case.expr.as_str());
        rules += &format!(
            "- rule: c{number}\n  desc: d\n  condition: {condition}\n  output: o\n  priority: info\n  skip-if-unknown-filter: true\n"
        );
        let mut fields = case.event();
        // By its time an alert says which event it is about.
        fields.insert("evt.time".to_owned(), number.into());
        events += &format!("{}\n", json!({"rule": "r", "output_fields": fields}));
    }
    let dir = TempDir::new();
    let path = dir.path().join("rules.yaml");
    fs::write(&path, rules).unwrap();
    let args = ["rules", "eval", "--rules", path.to_str().unwrap(), "--source", "syscall", "--matching", "all", "-"];
    let output = command_with(&args, events.as_bytes());
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    let alerts = lines(&output.stdout);
    for (number, case) in cases.iter().enumerate() {
        if let Some(reason) = not_evaluated(case, number, &said) {
            tally.skip(format!("{} ({reason})", case.expr));
            continue;
        }
        let found = alerts
            .iter()
            .any(|alert| alert["rule"] == format!("c{number}") && alert["output_fields"]["evt.time"] == number);
        tally.check(found == case.result, || format!("{:?} should be {} ({})", case.expr, case.result, case.source));
    }
    tally.finish(140);
}

/// Why a case is not evaluated: `said` is what loading the rules said.
fn not_evaluated(case: &EvalCase, number: usize, said: &str) -> Option<&'static str> {
    let rule = format!("(rule \"c{number}\")");
    if said.split("\n\n").any(|finding| finding.contains("LOAD_UNKNOWN_FILTER") && finding.contains(&rule)) {
        return Some(ONLY_UPSTREAM);
    }
    let event = case.event();
    let words = case.expr.split(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '.' | '_'));
    let mut fields = words.filter(|word| ["evt.", "fd.", "proc."].iter().any(|prefix| word.starts_with(prefix)));
    if case.expr.contains("evt.num") {
        return Some(NUMBERED);
    }
    let is_unknown = |field: &str| !event.keys().any(|key| key.split('[').next() == Some(field));
    fields.any(is_unknown).then_some("the event is not known")
}

/// What `rules check` says about files.
struct Checked {
    accepted: bool,
    rows: Vec<Value>,
}

fn check(dir: &TempDir, files: &[(&str, &str)]) -> Checked {
    let paths: Vec<String> = files
        .iter()
        .map(|(name, content)| {
            let path = dir.path().join(name);
            fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        })
        .collect();
    let mut args = vec!["rules", "check", "--format", "json"];
    args.extend(paths.iter().map(String::as_str));
    let Output { status, stdout, .. } = command(&args);
    Checked { accepted: status.success(), rows: serde_json::from_slice(&stdout).unwrap() }
}

impl Checked {
    fn says(&self, part: &str) -> bool {
        self.rows.iter().any(|row| row["message"].as_str().unwrap().contains(part))
    }
}

/// Why the rest of a step is not looked at here.
const NOT_SHOWN: &str = "what a rule has become is no finding; the tests of the crate look at it";

/// Scenario: the loader's tests upstream.
/// Guarantee: files are taken or refused as there, with the messages that are asserted there.
#[test]
fn check_loads_as_falco_does() {
    let Some(LoaderCases { cases }) = cases_of::<LoaderCases>("rule_loader_cases.json") else { return };
    let mut tally = Tally::new("rules check: rule_loader_cases");
    for LoaderCase { name, steps } in &cases {
        let dir = TempDir::new();
        let mut last = None;
        for step in steps {
            let text = |key: &str| step.get(key).and_then(Value::as_str);
            if let Some(reason) = without_counterpart(step) {
                tally.skip(format!("{name}: {reason}"));
            } else if let Some(content) = text("load") {
                let checked = check(&dir, &[("rules.yaml", content)]);
                let ok = step.get("ok").and_then(Value::as_bool).unwrap_or(true);
                tally.check(checked.accepted == ok, || format!("{name}: {:#?}", checked.rows));
                last = Some(checked);
            } else if let Some(checked) = &last {
                let part = text("warning_contains").or_else(|| text("error_contains"));
                let absent = text("warning_not_contains");
                let warned = step.get("has_warnings").and_then(Value::as_bool);
                if let Some(part) = part {
                    tally.check(checked.says(part), || format!("{name}: nothing says {part:?}: {:#?}", checked.rows));
                } else if let Some(part) = absent {
                    tally.check(!checked.says(part), || format!("{name}: says {part:?}: {:#?}", checked.rows));
                } else if let Some(warned) = warned {
                    let found = checked.rows.iter().any(|row| row["severity"] == "warning");
                    tally.check(found == warned, || format!("{name}: warnings {found}: {:#?}", checked.rows));
                } else {
                    tally.skip(format!("{name}: {NOT_SHOWN}"));
                }
            } else {
                tally.skip(format!("{name}: {NOT_SHOWN}"));
            }
        }
    }
    tally.finish(80);
}

/// Scenario: rule files with mistakes, from the validation tests upstream.
/// Guarantee: each mistake is found with the code, the item and the message that is asserted there.
#[test]
fn check_finds_the_mistakes_that_falco_finds() {
    let Some(cases) = cases_of::<Vec<ValidationCase>>("rules_validation_cases.json") else { return };
    let mut tally = Tally::new("rules check: rules_validation_cases");
    for case in &cases {
        let dir = TempDir::new();
        let files: Vec<(&str, &str)> =
            case.rules_files.iter().map(|file| (file.name.as_str(), file.content.as_str())).collect();
        let checked = check(&dir, &files);
        tally.check(checked.accepted == (case.exit_code == 0), || format!("{}: {:#?}", case.name, checked.rows));
        for expected in &case.expect {
            let fits = |row: &&Value| {
                let said = |key: &str| row[key].as_str().unwrap().to_owned();
                let (kind, item) = said("path")
                    .split_once("::")
                    .map_or((said("path"), None), |(kind, item)| (kind.to_owned(), Some(item.to_owned())));
                expected.code.as_ref().is_none_or(|code| said("code") == *code)
                    && expected.item_type.as_ref().is_none_or(|wanted| kind == *wanted)
                    && expected.item_name.as_ref().is_none_or(|name| item.is_some_and(|item| item.starts_with(name)))
                    && expected.message().is_none_or(|message| said("message").contains(message))
            };
            let found = match expected.set.as_str() {
                "At(0).Successful" => check(&dir, &files[..1]).accepted,
                "AllErrors" => checked.rows.iter().filter(|row| row["severity"] == "error").any(|row| fits(&row)),
                _ => checked.rows.iter().filter(|row| row["severity"] == "warning").any(|row| fits(&row)),
            };
            tally.check(found, || format!("{}: {:?} not in {:#?}", case.name, expected.message(), checked.rows));
        }
    }
    tally.finish(39);
}
