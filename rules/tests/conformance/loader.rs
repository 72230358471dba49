//! What loading rule files says.

use super::{
    cases::{LoaderCase, LoaderCases, ValidationCase, without_counterpart},
    data::{Tally, json},
};
use lanner_rules::{
    file::{AppendOutput, Diagnostic, Loader, Options, Report},
    ruleset::{Choice, Ruleset, Selection},
};
use serde_json::Value;

/// System calls only, as the tests upstream have it.
fn options() -> Options {
    let mut options = Options::default();
    options.sources.retain(|(name, _)| name == "syscall");
    options
}

/// Scenario: the loader's tests upstream: lists, macros, rules, append, override, exceptions, warnings.
/// Guarantee: files are taken or refused as there; messages, compiled conditions and outputs are the same. What there
/// is no counterpart for (the JSON schema check, rulesets by number) is counted as skipped.
#[test]
fn loads_as_falco_does() {
    let Some(LoaderCases { cases }) = json::<LoaderCases>("rule_loader_cases.json") else { return };
    let mut tally = Tally::new("rule_loader_cases");
    for case in &cases {
        let mut run = LoaderRun { case, options: options(), last: None };
        for step in &case.steps {
            run.step(step, &mut tally);
        }
    }
    tally.finish(130);
}

struct LoaderRun<'c> {
    case: &'c LoaderCase,
    options: Options,
    last: Option<(Ruleset, Report)>,
}

impl LoaderRun<'_> {
    fn step(&mut self, step: &serde_json::Map<String, Value>, tally: &mut Tally) {
        let text = |key: &str| step.get(key).and_then(Value::as_str).map(str::to_owned);
        let name = &self.case.name;
        if let Some(reason) = without_counterpart(step) {
            return tally.skip(format!("{name}: {reason}"));
        }
        if let Some(call) = text("call") {
            match (call.as_str(), self.append_output(step)) {
                ("add_extra_output_format", Some(append)) => self.options.append_output.push(append),
                _ => tally.check(false, || format!("{name}: {call} is not known")),
            }
            return;
        }
        if let Some(content) = text("load") {
            let mut loader = Loader::new(self.options.clone());
            let report = loader.load(&text("file").unwrap_or_default(), &content);
            let ok = step.get("ok").and_then(Value::as_bool).unwrap_or(true);
            tally.check(report.accepted == ok, || format!("{name}: accepted {}\n{}", report.accepted, shown(&report)));
            self.last = Some((loader.finish(), report));
        }
        let Some((ruleset, report)) = &self.last else {
            return tally.check(false, || format!("{name}: {step:?} comes before a file"));
        };
        let said = |part: &str| report.diagnostics.iter().any(|finding| finding.message.contains(part));
        if let Some(part) = text("warning_contains").or_else(|| text("error_contains")) {
            tally.check(said(&part), || format!("{name}: nothing says {part:?}:\n{}", shown(report)));
        }
        if let Some(part) = text("warning_not_contains") {
            tally.check(!said(&part), || format!("{name}: says {part:?}:\n{}", shown(report)));
        }
        if let Some(expected) = step.get("has_warnings").and_then(Value::as_bool) {
            let found = report.warnings().count() > 0;
            tally.check(found == expected, || format!("{name}: warnings {found}:\n{}", shown(report)));
        }
        if let Some(expected) = step.get("num_enabled_rules").and_then(Value::as_u64) {
            let found = ruleset.enabled_count() as u64;
            tally.check(found == expected, || format!("{name}: {found} rules are on, not {expected}"));
        }
        let rule = text("rule").and_then(|rule| ruleset.rule(&rule));
        if let Some(expected) = text("compiled_condition") {
            let found = rule.map(|rule| rule.compiled_condition.to_string());
            tally.check(found.as_ref() == Some(&expected), || format!("{name}: {found:?}, not {expected:?}"));
        }
        if let Some(expected) = text("compiled_output") {
            let found = rule.map(|rule| rule.output.to_string());
            tally.check(found.as_ref() == Some(&expected), || format!("{name}: {found:?}, not {expected:?}"));
        }
        if let (Some(path), Some(expected)) = (step.get("describe_rule"), step.get("equals")) {
            self.describe(path, expected, ruleset, tally);
        }
    }

    /// `[[format], [source], [{ tags }], [rule]]`
    fn append_output(&self, step: &serde_json::Map<String, Value>) -> Option<AppendOutput> {
        let arguments: Vec<Vec<String>> = serde_json::from_value(step.get("args")?.clone()).ok()?;
        let [format, source, tags, rule] = arguments.as_slice() else { return None };
        let given = |texts: &[String]| texts.first().filter(|text| !text.is_empty()).cloned();
        let tags = tags.iter().filter(|tag| !matches!(tag.as_str(), "{" | "}" | ",")).cloned().collect();
        Some(AppendOutput { format: given(format)?, source: given(source), tags, rule: given(rule) })
    }

    fn describe(&self, path: &Value, expected: &Value, ruleset: &Ruleset, tally: &mut Tally) {
        let name = &self.case.name;
        let path: Vec<&str> = path.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let expected = expected.as_str().map_or_else(|| expected.to_string(), str::to_owned);
        let rule = ruleset.rules().first();
        let list = ruleset.lists().first().map(|(_, items)| items.clone()).unwrap_or_default();
        let found = match path.as_slice() {
            ["rules"] => vec![ruleset.rules().len().to_string()],
            ["macros"] => vec![ruleset.macros().len().to_string()],
            ["lists"] => vec![ruleset.lists().len().to_string()],
            ["lists", "details", "lists"] => vec!["0".to_owned()],
            ["lists", "details", "items_compiled"] => {
                let plain = list.iter().map(|item| item.trim_matches('"').to_owned());
                plain.chain([list.len().to_string()]).collect()
            }
            ["rules", "info", key] => rule
                .map(|rule| match *key {
                    "condition" => rule.condition.to_string(),
                    "output" => rule.output.to_string(),
                    "description" => rule.description.to_string(),
                    "capture" => rule.capture.to_string(),
                    "capture_duration" => rule.capture_duration.to_string(),
                    _ => String::new(),
                })
                .into_iter()
                .collect(),
            _ => return tally.check(false, || format!("{name}: describe {path:?} is not known")),
        };
        tally.check(found.contains(&expected), || format!("{name}: {path:?} is {found:?}, not {expected:?}"));
    }
}

fn shown(report: &Report) -> String {
    report.diagnostics.iter().map(Diagnostic::to_string).collect::<Vec<_>>().join("\n")
}

/// Scenario: rule files with mistakes, from the validation tests upstream.
/// Guarantee: each mistake is found with the code, the item and the message that is asserted there.
#[test]
fn finds_the_mistakes_that_falco_finds() {
    let Some(cases) = json::<Vec<ValidationCase>>("rules_validation_cases.json") else { return };
    let mut tally = Tally::new("rules_validation_cases");
    for case in &cases {
        let mut loader = Loader::new(options());
        let reports: Vec<Report> = case.rules_files.iter().map(|file| loader.load(&file.name, &file.content)).collect();
        let all = reports.iter().map(shown).collect::<Vec<_>>().join("\n");
        let accepted = reports.iter().all(|report| report.accepted);
        tally.check(accepted == (case.exit_code == 0), || format!("{}: accepted {accepted}\n{all}", case.name));
        for expected in &case.expect {
            let found = match expected.set.as_str() {
                "At(0).Successful" => reports.first().is_some_and(|report| report.accepted),
                set => {
                    let fits = |finding: &&Diagnostic| {
                        expected.code.as_ref().is_none_or(|code| finding.code.name() == code)
                            && expected.item_type.as_ref().is_none_or(|kind| finding.item_type == kind)
                            && expected.message().is_none_or(|message| finding.message.contains(message))
                            && expected.item_name.as_ref().is_none_or(|name| {
                                finding.item_name.as_ref().is_some_and(|found| found.starts_with(name.as_str()))
                            })
                    };
                    reports.iter().any(|report| match set {
                        "AllErrors" => report.errors().any(|finding| fits(&finding)),
                        _ => report.warnings().any(|finding| fits(&finding)),
                    })
                }
            };
            tally.check(found, || format!("{}: no {:?} {:?} in\n{all}", case.name, expected.code, expected.message()));
        }
    }
    tally.finish(39);
}

/// Scenario: one file switches on by name, by tag and by pattern.
/// Guarantee: choices apply in order; `*` stands for any text.
#[test]
fn rules_are_chosen_in_order() {
    let rule = |name: &str, tag: &str| {
        format!(
            "- rule: {name}\n  desc: d\n  condition: evt.type = open\n  output: o\n  priority: INFO\n  tags: [{tag}]\n"
        )
    };
    let mut loader = Loader::new(options());
    let report = loader.load("r.yaml", &(rule("first actual rule", "exec") + &rule("second rule", "exec")));
    assert!(report.accepted);
    let mut ruleset = loader.finish();
    let choose = |enable, selection| Choice { enable, selection };
    let mut count = |choices: &[Choice]| {
        ruleset.select(choices);
        ruleset.enabled_count()
    };
    assert_eq!(count(&[choose(false, Selection::Tag("exec".to_owned()))]), 0);
    assert_eq!(count(&[choose(true, Selection::Name("*second*r*".to_owned()))]), 1);
    assert_eq!(count(&[choose(true, Selection::Name("first actual rule".to_owned()))]), 2);
    assert_eq!(
        count(&[
            choose(false, Selection::Name("*".to_owned())),
            choose(true, Selection::Name("*rule".to_owned())),
            choose(false, Selection::Name("first".to_owned())),
        ]),
        2
    );
}
