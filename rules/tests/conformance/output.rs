//! What templates say.

use super::{
    data::{Tally, json},
    event::{Event, TestSchema},
};
use lanner_rules::{
    compile::Compiler,
    evaluate::{Arena, Run},
    language::Limits,
    output::{Rendered, Template},
};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Cases {
    fields: BTreeMap<String, serde_json::Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    format: String,
    valid: bool,
    mode: Option<String>,
    #[serde(default)]
    values: BTreeMap<String, String>,
    ok: Option<bool>,
    output: Option<String>,
    source: String,
}

/// Scenario: every template of the formatter's tests upstream, as text and as JSON.
/// Guarantee: the same are accepted; messages, values by name and failures are the same.
#[test]
fn renders_as_falco_does() {
    let Some(Cases { fields, cases }) = json::<Cases>("output_format_cases.json") else { return };
    let mut tally = Tally::new("output_format_cases");
    for case in &cases {
        let schema = TestSchema::new();
        let mut compiler = Compiler::new(&schema);
        let template = Template::compile(&case.format, Limits::default(), &mut compiler);
        tally.check(template.is_ok() == case.valid, || {
            format!("{:?} should be {}: {:?} ({})", case.format, case.valid, template.as_ref().err(), case.source)
        });
        let Ok(template) = template else { continue };
        let program = compiler.finish();
        let arena = Arena::new();
        let event = Event::new(&program, &fields, &arena);
        let run = Run::new(&program, &event, &arena);
        let mut text = String::new();
        let rendered = template.render(&run, &mut text);
        if let Some(ok) = case.ok {
            tally.check((rendered == Rendered::Complete) == ok, || format!("{:?}: {rendered:?}", case.format));
        }
        if case.mode.as_deref() == Some("json") {
            text = serde_json::to_string(&template.fields(&run)).unwrap();
        }
        if let Some(expected) = &case.output {
            tally.check(text == *expected, || format!("{:?}: {text:?}, not {expected:?}", case.format));
        }
        let values: BTreeMap<_, _> = template.values(&run).map(|(name, value)| (name, value.to_string())).collect();
        for (name, expected) in &case.values {
            let found = values.get(name.as_str());
            tally.check(found == Some(expected), || format!("{:?}: {name} is {found:?} of {values:?}", case.format));
        }
    }
    tally.finish(32);
}
