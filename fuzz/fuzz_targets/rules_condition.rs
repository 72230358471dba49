//! Conditions over audit events and alerts.
//!
//! The input is a condition, then, behind a byte that no UTF-8 has (0xff), what the event is; without one a fixed event is
//! taken.
//! Properties: no panic; a condition is printed as one that reads the same, is itself its printed form, and holds for the
//! same events; its opposite holds for the others; evaluating again gives the same.

#![no_main]

use lanner_rules::{
    alert::{self, AlertEvent, AlertPlan},
    audit::{self, AuditEvent, AuditPlan, Meta, Parity},
    compile::{Compiler, NoMacros},
    evaluate::{Arena, Fields, NodeId, Program, Run},
    language::{Expr, ExprKind, Limits, parse, parse_with},
    schema::{Catalog, Schema},
};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const EVENT: &[u8] = include_bytes!("../rules_event.json");
static AUDIT: LazyLock<Catalog> = LazyLock::new(audit::schema);
static ALERT: LazyLock<Catalog> = LazyLock::new(alert::schema);

/// The condition, its opposite and what it prints as, in one program.
fn compiled(schema: &dyn Schema, expr: &Expr, printed: &Expr) -> Option<(Program, [NodeId; 3])> {
    let mut compiler = Compiler::new(schema);
    let node = compiler.condition(expr, &NoMacros).ok()?;
    let opposite = Expr { kind: ExprKind::Not(Box::new(expr.clone())), span: expr.span };
    let nodes = [node, compiler.condition(&opposite, &NoMacros).ok()?, compiler.condition(printed, &NoMacros).ok()?];
    Some((compiler.finish(), nodes))
}

fn check(program: &Program, nodes: [NodeId; 3], event: &impl Fields, arena: &Arena) {
    let run = Run::new(program, event, arena);
    let [holds, opposite, printed] = nodes.map(|node| run.holds(node));
    assert_eq!((opposite, printed), (!holds, holds));
    let again = Run::new(program, event, arena);
    assert_eq!(nodes.map(|node| again.holds(node)), [holds, opposite, printed]);
}

fuzz_target!(|input: &[u8]| {
    let (text, event) = match memchr::memchr(0xff, input) {
        Some(at) => (&input[..at], &input[at + 1..]),
        None => (input, EVENT),
    };
    let text = String::from_utf8_lossy(text);
    let expr = match parse(&text) {
        Ok(expr) => expr,
        Err(error) => {
            let shown = error.render(&text);
            assert!(shown.chars().all(|letter| letter == '\n' || !letter.is_control()), "{shown:?}");
            return;
        }
    };
    let printed = expr.to_string();
    // Parentheses that were not needed make it deeper.
    let again = parse_with(&printed, Limits::RULES).expect("what is printed can be read");
    assert_eq!(again.to_string(), printed);
    assert!(expr.canonical().len() <= 8 * text.len() + 64);

    let arena = Arena::new();
    if let Some((program, nodes)) = compiled(&*AUDIT, &expr, &again) {
        for parity in [Parity::Corrected, Parity::Upstream] {
            let plan = AuditPlan::new(program.fields(), parity);
            if let Ok(event) = AuditEvent::new(event, Meta::default(), &plan, &arena) {
                check(&program, nodes, &event, &arena);
            }
        }
    }
    if let Some((program, nodes)) = compiled(&*ALERT, &expr, &again) {
        let plan = AlertPlan::new(program.fields());
        if let Ok(event) = AlertEvent::new(event, 1, &plan, &arena) {
            check(&program, nodes, &event, &arena);
        }
    }
});
