//! Rule files, and a fixed event for what is in them.
//!
//! Properties: no panic; findings have nothing in them that steers a terminal; the same file gives the same findings; a file
//! that is taken can be taken again behind itself or is refused, but never half; the first match is the first of all; an
//! alert is JSON with Falco's keys, and can be read as an event.

#![no_main]

use lanner_rules::{
    alert::{Alert, AlertEvent, AlertPlan},
    audit::{AuditEvent, AuditPlan, Meta, Parity, SOURCE},
    evaluate::{Arena, Run},
    file::{Loader, Options},
    ruleset::Ruleset,
};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const EVENT: &[u8] = include_bytes!("../rules_event.json");
const KEYS: [&str; 8] = ["hostname", "output", "output_fields", "priority", "rule", "source", "tags", "time"];
static OPTIONS: LazyLock<Options> = LazyLock::new(Options::default);

fn evaluate(ruleset: &Ruleset) {
    let Some(rules) = ruleset.source(SOURCE) else { return };
    let plan = AuditPlan::new(rules.fields(), Parity::Corrected);
    let arena = Arena::new();
    let event = AuditEvent::new(EVENT, Meta::default(), &plan, &arena).expect("JSON");
    let run = Run::new(rules.program(), &event, &arena);
    let hits: Vec<_> = rules.all(&run).map(|hit| hit.rule).collect();
    assert_eq!(rules.first(&run).map(|hit| hit.rule), hits.first().copied());
    for hit in rules.all(&run) {
        let rule = &ruleset.rules()[hit.rule];
        let alert = Alert { rule, template: &hit.template, run: &run, time: event.time(), hostname: "h" };
        let json = serde_json::to_string(&alert).expect("an alert is JSON");
        let read: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json).expect("JSON");
        assert!(read.keys().eq(KEYS), "{json}");
        assert!(read["output_fields"]["evt.time"].is_u64(), "{json}");
        let fields = read["output_fields"].as_object().expect("a map");
        assert!(fields.keys().is_sorted(), "{json}");
        AlertEvent::new(json.as_bytes(), 1, &AlertPlan::new(&[]), &arena).expect("an alert");
    }
}

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let mut loader = Loader::new(OPTIONS.clone());
    let report = loader.load("fuzz.yaml", &text);
    for finding in &report.diagnostics {
        let shown = finding.to_string();
        assert!(shown.chars().all(|letter| letter == '\n' || !letter.is_control()), "{shown:?}");
    }
    let mut other = Loader::new(OPTIONS.clone());
    assert_eq!(other.load("fuzz.yaml", &text).diagnostics, report.diagnostics);
    assert_eq!(report.accepted, report.errors().next().is_none());
    if !report.accepted {
        assert!(loader.rules().rules().is_empty());
        return;
    }
    evaluate(loader.rules());
    let before = loader.rules().rules().len();
    let again = loader.load("again.yaml", &text);
    assert!(again.accepted || loader.rules().rules().len() == before);
    evaluate(loader.rules());
});
