//! Folding, sharing, bounds.

use super::*;
use crate::{
    language::{Limits, parse_with},
    schema::{Catalog, Row},
};

fn schema() -> Catalog {
    Catalog::new([Row::new("t.a", Kind::Text), Row::new("t.b", Kind::Text), Row::new("t.name", Kind::Text)])
}

fn compile(conditions: &[&str]) -> (Program, Vec<NodeId>) {
    let schema = schema();
    let mut compiler = Compiler::new(&schema);
    let nodes = conditions
        .iter()
        .map(|condition| compiler.condition(&parse_with(condition, Limits::RULES).unwrap(), &NoMacros).unwrap());
    let nodes = nodes.collect();
    (compiler.finish(), nodes)
}

/// Scenario: conditions that mean the same, written differently.
/// Guarantee: they become the same node, so they are evaluated once.
#[test]
fn equal_parts_are_one_node() {
    for (left, right) in [
        ("t.a = x", "t.a == 'x'"),
        ("t.a in (x, y)", "t.a in (y, x, y)"),
        ("t.a = x and (t.b = y and t.a exists)", "t.a = x and t.b = y and t.a exists"),
        ("not (not (t.a = x))", "t.a = x"),
        ("t.a = x or t.a = x", "t.a = x"),
        ("t.a = x and \"\" = \"\"", "t.a = x"),
        ("t.a in ()", "t.b in ()"),
        ("concat(\"a\", \"b\") = ab", "not t.a in ()"),
        ("t.a = x or concat(\"a\", \"b\") = ab", "not t.a in ()"),
        ("t.a = x and len(\"abc\") > 5", "t.b pmatch ()"),
    ] {
        // A comparison of two constants needs a transformer on the left.
        let left = left.replace("\"\" = \"\"", "len(\"\") = 0");
        let (_, nodes) = compile(&[&left, right]);
        assert_eq!(nodes[0], nodes[1], "{left} and {right}");
    }
}

/// Scenario: a misspelt field, one that takes no argument, and a type that does not fit, in one condition.
/// Guarantee: all are reported, each at its place, with what was meant.
#[test]
fn all_errors_are_found() {
    let schema = schema();
    let text = "t.nmae = x and t.a[0] = y and t.b bcontains zz";
    let errors = Compiler::new(&schema).condition(&parse_with(text, Limits::RULES).unwrap(), &NoMacros).unwrap_err();
    let places: Vec<u32> = errors.iter().map(|error| error.span.start).collect();
    assert_eq!(places, [0, 15, 30], "{errors:?}");
    assert!(errors[0].to_string().contains("did you mean `t.name`?"), "{}", errors[0]);
}

/// Scenario: expressions as RE2 reads them, which the crate reads differently: braces that are no count, brackets in
/// brackets, set operators.
/// Guarantee: they compile, and mean what they mean there; Perl's are warned of.
#[test]
fn expressions_are_posix() {
    for pattern in ["pentest-[0-9]{2", "a{x}", "[a[b]", "[a&&b]", "[a--z]", "[[:alpha:]]{2,4}", "a{2}", "[^]]", "\\{"] {
        let condition = format!("t.a regex '{}'", pattern.replace('\\', "\\\\"));
        compile(&[&condition]);
    }
    let schema = schema();
    let mut compiler = Compiler::new(&schema);
    for pattern in ["\\\\d", "(?i)a", "a*?", "\\\\bx"] {
        let tree = parse_with(&format!("t.a regex '{pattern}'"), Limits::RULES).unwrap();
        compiler.condition(&tree, &NoMacros).unwrap();
        let warnings = compiler.take_warnings();
        assert!(matches!(warnings[0].kind, WarningKind::PerlRegex { .. }), "{pattern}: {warnings:?}");
    }
}

/// Scenario: regular expressions without end: small ones, large ones, and such as are refused.
/// Guarantee: what they take together is bounded, and from there on none is compiled.
#[test]
fn s16_regular_expressions_are_bounded_together() {
    let schema = schema();
    for (pattern, most) in [("x", 1700), ("[a-z]{50}{9}", 250), ("(([a-z]{100}){100}){100}", 150)] {
        let mut compiler = Compiler::new(&schema);
        let mut is_out = |number: usize| {
            let text = format!("t.a regex '{pattern}{number}'");
            let errors = compiler.condition(&parse_with(&text, Limits::RULES).unwrap(), &NoMacros).err();
            errors.is_some_and(|errors| errors[0].kind == CompileErrorKind::TooManyRegexes)
        };
        let first = (0..=most).find(|number| is_out(*number));
        assert!(first.is_some_and(|first| first > 100), "{pattern}: {first:?}");
        assert!(is_out(most + 1));
    }
}
