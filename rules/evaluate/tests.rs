//! Operators, values and bounds beyond the upstream cases.

use super::*;
use crate::{
    compile::{Compiler, NoMacros},
    language::{Limits, parse_with},
    schema::{ArgumentSpec, Catalog, Kind, Row},
};
use std::net::IpAddr;

fn schema() -> Catalog {
    Catalog::new([
        Row::new("t.text", Kind::Text),
        Row::new("t.other", Kind::Text),
        Row::new("t.bytes", Kind::Bytes),
        Row::new("t.int", Kind::Int),
        Row::new("t.uint", Kind::Uint),
        Row::new("t.float", Kind::Float),
        Row::new("t.bool", Kind::Bool),
        Row::new("t.ip", Kind::Ip),
        Row::new("t.net", Kind::Net),
        Row::new("t.list", Kind::Text).list(),
        Row::new("t.any", Kind::Any).with(ArgumentSpec::Key),
        Row::new("t.missing", Kind::Text).with(ArgumentSpec::OptionalKey),
    ])
}

struct Event(Vec<Value<'static>>);

impl Fields for Event {
    fn get(&self, field: FieldId) -> Value<'_> {
        self.0[field.index()]
    }
}

fn holds(condition: &str) -> bool {
    let schema = schema();
    let mut compiler = Compiler::new(&schema);
    let tree = parse_with(condition, Limits::RULES).unwrap();
    let node = compiler.condition(&tree, &NoMacros).unwrap_or_else(|errors| panic!("{condition}: {errors:?}"));
    let program = compiler.finish();
    let value = |field: &Field| match &*field.name {
        "t.text" => Value::Text(b"Some/Path.txt"),
        "t.other" => Value::Text(b"path"),
        "t.bytes" => Value::Bytes(b"\x00\xff\x01"),
        "t.int" => Value::Int(-5),
        "t.uint" => Value::Uint(u64::MAX),
        "t.float" => Value::Float(1.5),
        "t.bool" => Value::Bool(true),
        "t.ip" | "t.net" => Value::Ip(IpAddr::from([10, 1, 2, 3])),
        "t.list" => Value::List(&[Value::Text(b"A"), Value::Text(b"b/c")]),
        "t.any" => match field.argument.as_deref().unwrap_or_default() {
            "int" => Value::Int(i64::MAX),
            "float" => Value::Float(0.5),
            "digits" => Value::Text(b"10"),
            "flag" => Value::Bool(false),
            "ip" => Value::Ip(IpAddr::from([10, 1, 2, 3])),
            "words" => Value::List(&[Value::Text(b"A"), Value::Text(b"B")]),
            "list" => Value::List(&[Value::Text(b"A"), Value::Int(7)]),
            _ => Value::Absent,
        },
        _ => Value::Absent,
    };
    let event = Event(program.fields().iter().map(value).collect());
    let arena = Arena::new();
    Run::new(&program, &event, &arena).holds(node)
}

/// Scenario: every operator with a missing field, on either side.
/// Guarantee: each is false, `!=` too, and `not` of it is true.
#[test]
fn what_is_missing_matches_nothing() {
    for check in [
        "t.missing exists",
        "t.missing = x",
        "t.missing != x",
        "t.missing in (x)",
        "t.missing != allof (x)",
        "t.missing glob *",
        "t.missing regex '.*'",
        "t.text != val(t.missing)",
        "t.text = concat(t.missing, \"x\")",
        "tolower(t.missing) != x",
        "len(t.missing) >= 0",
        "t.missing[key] exists",
    ] {
        assert!(!holds(check), "{check}");
        assert!(holds(&format!("not {check}")), "not {check}");
    }
}

/// Scenario: checks of a field whose type only the event knows.
/// Guarantee: the constant is read as what the value is; a list matches where a member does, `!=` where none is equal;
/// integers are compared exactly.
#[test]
fn values_of_any_type() {
    for condition in [
        "t.any[int] = 9223372036854775807 and t.any[int] != 9223372036854775806 and t.any[int] > 1.5",
        "t.any[int] in (1, 9223372036854775807) and not t.any[int] contains 9 and not t.any[int] = x",
        "t.any[float] < 1 and t.any[float] = 0.5 and t.any[float] != half",
        "t.any[digits] > 9 and t.any[digits] = 10 and t.any[digits] startswith 1 and t.any[digits] in (10)",
        "t.any[flag] = false and t.any[flag] != true and t.any[flag] in (false, x) and not t.any[flag] = 0",
        "t.any[ip] = 10.1.2.3 and t.any[ip] startswith 10.",
        "t.any[list] = A and t.any[list] = 7 and t.any[list] contains A and t.any[list] != b",
        "not t.any[list] != 7 and t.any[list] intersects (7, x) and not t.any[list] in (7) and t.any[list] in (7, A)",
        "tolower(t.any[words]) intersects (a) and len(t.any[digits]) = 2 and t.any[digits] = val(t.any[digits])",
        "t.any[digits] regex '[0-9]+' and t.any[digits] != allof (1, 2) and t.any[int] = anyof (1, 9223372036854775807)",
        "not t.any[none] exists and not t.any[none] != x and not t.any[none] in (x)",
    ] {
        assert!(holds(condition), "{condition}");
    }
}

/// Scenario: checks of every type of field.
/// Guarantee: they hold or not as the language says.
#[test]
fn operators() {
    for condition in [
        "t.text = Some/Path.txt and t.text != some/path.txt and t.text == 'Some/Path.txt'",
        "t.text contains Path and t.text icontains PATH and not t.text contains PATH",
        "t.text startswith Some and t.text endswith .txt and not t.text endswith .TXT",
        "t.text icontains val(t.other) and not t.text contains val(t.other)",
        "t.text > 5 and t.text < 99999 or t.text >= 0",
        "t.text contains anyof (nothing, Path) and t.text contains oneof (nothing, Path)",
        "not t.text contains oneof (Some, Path) and t.text contains allof (Some, Path)",
        "t.text != allof (a, b, c, d, e, f) and not t.text = anyof (a, b, c, d, e, f)",
        "t.bytes bcontains ff and t.bytes bstartswith 00FF and t.bytes = '\\x00\\xff\\x01'",
        "t.int = -5 and t.int < -4 and t.int >= -5 and t.int in (1, -5) and t.int != 5",
        "t.uint = 18446744073709551615 and t.uint > 1",
        "t.float > 1 and t.float < 2 and not t.float = 1",
        "t.bool = true and t.bool != false and t.bool in (true) and not t.bool in (false)",
        "t.ip = 10.1.2.3 and t.ip != ::1 and t.ip in (::1, 10.1.2.3) and t.ip = oneof (10.1.2.3, ::1)",
        "t.net = 10.0.0.0/8 and t.net != ::/0 and t.net in (::/0, 10.1.0.0/16)",
        "t.list intersects (A, x) and not t.list in (A, x) and t.list in (A, b/c, x) and len(t.list) = 2",
        "tolower(t.list) intersects (a) and toupper(t.list) in (A, B/C) and basename(t.list) intersects (c)",
        "join(\"+\", t.list) = A+b/c and concat(t.int, \":\", t.bool) = -5:true",
        "t.text regex '[A-Z][a-z]+/.*[.]txt' and not t.text regex Path",
        "t.text pmatch (/Some) and t.text pmatch (/S*/P?th.txt) and t.text pmatch (/) and not t.text pmatch (/So)",
    ] {
        assert!(holds(condition), "{condition}");
    }
}

/// Scenario: patterns of fnmatch, among them unfinished classes and escapes.
/// Guarantee: they match what fnmatch without flags matches.
#[test]
fn globs() {
    for (pattern, text, fold, expected) in [
        ("*", "", false, true),
        ("a*b*c", "a/x/b/y/c", false, true),
        ("a*b*c", "a/x/b/y/", false, false),
        ("?", "/", false, true),
        ("?", "", false, false),
        ("[a-c]x", "bx", false, true),
        ("[!a-c]x", "bx", false, false),
        ("[^a-c]x", "dx", false, true),
        ("[]a]", "]", false, true),
        ("[a-]", "-", false, true),
        ("[[:digit:][:upper:]]", "Q", false, true),
        ("[[:digit:]]", "q", false, false),
        ("[abc", "[abc", false, true),
        ("\\*x", "*x", false, true),
        ("\\*x", "ax", false, false),
        ("[\\]]", "]", false, true),
        ("*.TXT", "a.txt", true, true),
        ("[A-C]*", "bcd", true, true),
        ("*.TXT", "a.txt", false, false),
        ("a\\", "a\\", false, true),
    ] {
        let glob = Glob::new(pattern.as_bytes(), fold);
        assert_eq!(glob.matches(text.as_bytes()), expected, "{pattern} {text}");
        assert_eq!(glob::matches(pattern.as_bytes(), text.as_bytes(), fold), expected, "{pattern} {text}");
    }
}

/// Scenario: patterns and texts that make a naive matcher take exponential time.
/// Guarantee: they are decided at once; regular expressions that would need much memory are refused.
#[test]
fn patterns_take_bounded_time() {
    let pattern = "a*".repeat(50) + "b";
    assert!(!glob::matches(pattern.as_bytes(), "a".repeat(10_000).as_bytes(), false));
    assert!(!holds("t.text regex '(a*)*(a*)*(a*)*b'"));
    let schema = schema();
    let tree = parse_with("t.text regex '(([a-z]{100}){100}){100}'", Limits::RULES).unwrap();
    let errors = Compiler::new(&schema).condition(&tree, &NoMacros).unwrap_err();
    assert!(errors[0].kind.to_string().starts_with("not a regular expression"), "{errors:?}");
}

/// Scenario: ten thousand events with transformers in the condition, in one arena.
/// Guarantee: the arena does not grow from event to event.
#[test]
fn nothing_grows_from_event_to_event() {
    let schema = schema();
    let mut compiler = Compiler::new(&schema);
    let tree = parse_with("toupper(t.text) = concat(\"SOME\", tolower(t.other)) or t.text = x", Limits::RULES).unwrap();
    let node = compiler.condition(&tree, &NoMacros).unwrap();
    let program = compiler.finish();
    let event = Event(program.fields().iter().map(|_| Value::Text(b"Mixed Case")).collect());
    let mut arena = Arena::new();
    let mut sizes = Vec::new();
    for _ in 0..10_000 {
        arena.reset();
        Run::new(&program, &event, &arena).holds(node);
        sizes.push(arena.bump().allocated_bytes());
    }
    assert_eq!(sizes[10], sizes[9_999]);
}
