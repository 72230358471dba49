//! What conditions say about events.

use super::{
    cases::EvalCases,
    data::{Tally, json},
    event::{Event, TestSchema, compile, holds},
};
use lanner_rules::evaluate::Arena;

/// Scenario: every evaluation that the tests upstream assert.
/// Guarantee: the same result. Where the data does not say what the event was, the fields of the event in the
/// upstream test are supplied here, as far as its kind is known; the rest is counted as skipped.
#[test]
fn evaluates_as_falco_does() {
    let Some(cases) = json::<EvalCases>("filter_eval_cases.json") else { return };
    let mut tally = Tally::new("filter_eval_cases");
    for case in &cases.cases {
        let (program, node, _) = match compile(&TestSchema::new(), &case.expr) {
            Ok(compiled) => compiled,
            Err(error) => {
                tally.check(false, || format!("{:?}: {error}", case.expr));
                continue;
            }
        };
        let fields = case.event();
        let arena = Arena::new();
        let event = Event::new(&program, &fields, &arena);
        let unknown = program.fields().iter().any(|field| {
            let named = |name: &str| name == &*field.name || name.starts_with(&format!("{}[", field.name));
            !fields.keys().any(|name| named(name))
        });
        if unknown {
            tally.skip(format!("{} (the event is not known)", case.expr));
            continue;
        }
        let found = holds(&program, node, &event);
        tally.check(found == case.result, || format!("{:?} should be {} ({})", case.expr, case.result, case.source));
    }
    tally.finish(140);
}
