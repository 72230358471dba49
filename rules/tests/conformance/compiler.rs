//! Which conditions fit their fields, and what is warned of.

use super::{
    data::{Tally, json},
    event::{TestSchema, compile},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    expr: String,
    valid: bool,
    warnings: Option<usize>,
    source: String,
}

/// Scenario: every operator with every type of field, and what else the compiler's tests upstream have.
/// Guarantee: it is accepted or rejected as there, with as many warnings.
#[test]
fn compiles_what_falco_does() {
    let Some(cases) = json::<Cases>("filter_compile_cases.json") else { return };
    let mut tally = Tally::new("filter_compile_cases");
    for case in &cases.cases {
        let compiled = compile(&TestSchema::new(), &case.expr);
        tally.check(compiled.is_ok() == case.valid, || {
            let said = compiled.as_ref().err().cloned().unwrap_or_default();
            format!(
                "{:?} should be {}: {said} ({})",
                case.expr,
                if case.valid { "valid" } else { "invalid" },
                case.source
            )
        });
        if let (Some(expected), Ok((.., warnings))) = (case.warnings, &compiled) {
            tally.check(warnings.len() == expected, || format!("{:?}: {warnings:?}, not {expected}", case.expr));
        }
    }
    tally.finish(195);
}
