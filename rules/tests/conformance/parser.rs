//! Which texts are conditions, where their parts stand, how they print.

use super::{
    cases::ParserCase,
    data::{Tally, json},
};
use lanner_rules::language::{Argument, Expr, ExprKind, Operand, Right, Span, parse};
use std::fmt::Write;

/// Scenario: every expression of the parser's tests upstream, also with other blanks between the words.
/// Guarantee: it is accepted or rejected as there; positions and the canonical text are the same.
#[test]
fn accepts_and_rejects_what_falco_does() {
    let Some(cases) = json::<Vec<ParserCase>>("filter_parser_cases.json") else { return };
    let mut tally = Tally::new("filter_parser_cases");
    for case in &cases {
        for text in case.variants() {
            let parsed = parse(&text);
            tally.check(parsed.is_ok() == case.valid, || {
                let said = parsed.as_ref().err().map(|error| error.render(&text)).unwrap_or_default();
                format!("{text:?} should be {}: {said} ({})", if case.valid { "valid" } else { "invalid" }, case.source)
            });
            let Ok(expr) = parsed else { continue };
            let again = parse(&expr.to_string()).map(|expr| expr.to_string());
            tally.check(again.as_ref() == Ok(&expr.to_string()), || format!("{text:?} prints as {expr}"));
        }
        if let (Some(expected), Ok(expr)) = (&case.as_string, parse(&case.expr)) {
            tally.check(expr.canonical() == *expected, || format!("{:?}: canonical {}", case.expr, expr.canonical()));
        }
        if let (Some(expected), Ok(expr)) = (&case.positions, parse(&case.expr)) {
            let mut found = Positions { text: &case.expr, out: String::new() };
            found.expr(&expr);
            tally.check(found.out == *expected, || format!("{:?}: {} not {expected}", case.expr, found.out));
        }
    }
    tally.finish(300);
}

/// Writes positions as the tests upstream do: name, offset, line, column of each node.
struct Positions<'t> {
    text: &'t str,
    out: String,
}

impl Positions<'_> {
    fn node(&mut self, name: &str, span: Span) {
        let place = span.place(self.text);
        write!(self.out, "{name}{} {} {}", span.start, place.line, place.column).unwrap();
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::And(parts) => {
                self.node("and", expr.span);
                parts.iter().for_each(|part| self.expr(part));
            }
            ExprKind::Or(parts) => {
                self.node("or", expr.span);
                parts.iter().for_each(|part| self.expr(part));
            }
            ExprKind::Not(inner) => {
                self.node("not", expr.span);
                self.expr(inner);
            }
            ExprKind::Exists(left) => {
                self.node("unary", expr.span);
                self.operand(left);
            }
            ExprKind::Compare(comparison) => {
                let (left, right) = (&comparison.left, &comparison.right);
                self.node("binary", expr.span);
                self.operand(left);
                match right {
                    Right::Value(value) => self.node("value", value.span),
                    Right::List(_, span) => self.node("list", *span),
                    Right::Field(field, span) => {
                        self.node("transformer", *span);
                        self.node("field", field.span);
                    }
                    Right::Transform(transform) => self.operand(&Operand::Transform(transform.clone())),
                }
            }
            ExprKind::Macro(_) => self.node("identifier", expr.span),
        }
    }

    fn operand(&mut self, operand: &Operand) {
        match operand {
            Operand::Field(field) => self.node("field", field.span),
            Operand::Transform(transform) => {
                self.node("transformer", transform.span);
                for argument in &transform.arguments {
                    if let Argument::Operand(operand) = argument {
                        self.operand(operand);
                    }
                }
            }
        }
    }
}
