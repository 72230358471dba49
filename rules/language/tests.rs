//! Places, bounds, and that printing loses nothing.

use super::*;
use proptest::prelude::*;

/// Scenario: a condition of several lines has a word too many in the third.
/// Guarantee: the message has line and column, shows the line, and marks the word.
#[test]
fn an_error_shows_its_place() {
    let text = "evt.type = open\n  and proc.name = cat\n  nonsense here\n";
    let error = parse(text).unwrap_err();
    assert_eq!(
        error.render(text),
        "3:3: unexpected token after 'cat', expecting 'or', 'and'\n  |   nonsense here\n  |   ^^^^^^^^"
    );
}

/// Scenario: terminal control sequences in a condition that has an error.
/// Guarantee: the rendered message has no control characters but line breaks.
#[test]
fn rendered_errors_are_harmless() {
    let text = "a.b = \u{1b}[31m (";
    let rendered = parse(text).unwrap_err().render(text);
    assert!(!rendered.contains('\u{1b}'), "{rendered:?}");
}

/// Scenario: text of all widths before the error.
/// Guarantee: columns count characters, and the caret stands under the word.
#[test]
fn columns_are_characters() {
    let text = "a.b = \"äöü\" x";
    let error = parse(text).unwrap_err();
    assert_eq!(error.span.place(text), Place { line: 1, column: 13 });
}

/// Scenario: parentheses and transformers nested a hundred thousand deep.
/// Guarantee: an error that names the limit, no overflow of the stack; a rule may nest 100 deep.
#[test]
fn depth_is_bounded() {
    let nest = |open: &str, inner: &str, close: &str, n: usize| open.repeat(n) + inner + &close.repeat(n);
    for text in [
        nest("(", "a", ")", 100_000),
        nest("not(", "a", ")", 100_000),
        nest("tolower(", "a.b", ")", 100_000) + " = x",
        "(".repeat(100_000),
    ] {
        let error = parse_with(&text, Limits::RULES).unwrap_err();
        assert_eq!(error.kind, SyntaxErrorKind::TooDeep { limit: 1000 });
    }
    assert!(parse_with(&nest("(", "a", ")", 190), Limits::RULES).is_ok());
    assert!(parse(&nest("(", "a", ")", 30)).is_err());
    // `not`s do not nest.
    assert!(parse(&("not ".repeat(10_000) + "a")).is_ok());
}

/// Scenario: a condition of two megabytes.
/// Guarantee: it is refused before it is read.
#[test]
fn length_is_bounded() {
    let error = parse(&"a".repeat(2 << 20)).unwrap_err();
    assert_eq!(error.kind, SyntaxErrorKind::TooLong { length: 2 << 20, limit: 1 << 20 });
    assert_eq!(parse(" \n ").unwrap_err().kind, SyntaxErrorKind::Empty);
    assert_eq!(parse("").unwrap_err().kind, SyntaxErrorKind::Empty);
}

/// Scenario: escapes, good and bad.
/// Guarantee: they mean what they mean in Falco; a bad one is an error at its place.
#[test]
fn escapes() {
    let value = |text: &str| match parse(text).unwrap().kind {
        ExprKind::Compare(comparison) => match comparison.right {
            Right::Value(value) => value.text,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(value(r#"a.b = "x\ty\x41\/\\z""#), b"x\ty\x41/\\z");
    assert_eq!(value(r#"a.b = "\xff""#), b"\xff");
    assert_eq!(value(r#"a.b = "two\ words""#), br"two\words");
    let error = parse(r#"a.b = "x\q""#).unwrap_err();
    assert_eq!(error.kind, SyntaxErrorKind::Escape { sequence: "q".to_owned() });
    assert_eq!((error.span.start, error.span.end), (8, 10));
    assert_eq!(parse(r#"a.b = "\'""#).unwrap_err().kind, SyntaxErrorKind::ForeignQuote { quote: '\'' });
    assert!(parse(r#"a.b = "x\xg0""#).is_err());
    assert!(parse(r#"a.b = "open"#).is_err());
    assert!(parse(r#"a.b = "a\\""#).is_err(), "the scanner takes the second backslash for an escape");
}

fn spanless(mut expr: Expr) -> Expr {
    fn value(value: &mut Value) {
        value.span = Span::default();
    }
    fn argument(one: &mut Argument) {
        match one {
            Argument::Text(text) => value(text),
            Argument::List(members, span) => {
                *span = Span::default();
                members.iter_mut().for_each(argument);
            }
            Argument::Operand(inner) => operand(inner),
        }
    }
    fn transform(one: &mut Transform) {
        one.span = Span::default();
        one.arguments.iter_mut().for_each(argument);
    }
    fn operand(one: &mut Operand) {
        match one {
            Operand::Field(field) => field.span = Span::default(),
            Operand::Transform(inner) => transform(inner),
        }
    }
    fn walk(expr: &mut Expr) {
        expr.span = Span::default();
        match &mut expr.kind {
            ExprKind::And(parts) | ExprKind::Or(parts) => parts.iter_mut().for_each(walk),
            ExprKind::Not(inner) => walk(inner),
            ExprKind::Exists(left) => operand(left),
            ExprKind::Compare(comparison) => {
                operand(&mut comparison.left);
                match &mut comparison.right {
                    Right::Value(one) => value(one),
                    Right::List(members, span) => {
                        *span = Span::default();
                        members.iter_mut().for_each(value);
                    }
                    Right::Field(field, span) => {
                        *span = Span::default();
                        field.span = Span::default();
                    }
                    Right::Transform(inner) => transform(inner),
                }
            }
            ExprKind::Macro(_) => {}
        }
    }
    walk(&mut expr);
    expr
}

fn field() -> impl Strategy<Value = FieldRef> {
    ("[a-z][a-z0-9_]{0,3}(\\.[a-z]{1,4}){1,2}", proptest::option::of("[ -~é\\n]{1,6}"))
        .prop_map(|(name, argument)| FieldRef { name, argument, span: Span::default() })
}

fn text() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-z*/.]{1,6}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..6),
        Just(b"oneof".to_vec()),
        Just(b"and".to_vec()),
    ]
    .prop_map(|text| Value { text, span: Span::default() })
}

fn operand() -> impl Strategy<Value = Operand> {
    field().prop_map(Operand::Field).prop_recursive(3, 12, 3, |inner| {
        let argument = prop_oneof![inner.prop_map(Argument::Operand), text().prop_map(Argument::Text)];
        let list = proptest::collection::vec(argument.clone(), 0..3)
            .prop_map(|members| Argument::List(members, Span::default()));
        (
            proptest::sample::select(Transformer::ALL),
            proptest::collection::vec(prop_oneof![argument, list], 1..3),
            proptest::option::of("[a-z]{1,3}"),
        )
            .prop_map(|(transformer, arguments, key)| {
                Operand::Transform(Transform { transformer, arguments, key, span: Span::default() })
            })
    })
}

fn check() -> impl Strategy<Value = ExprKind> {
    let values = proptest::collection::vec(text(), 0..4).prop_map(|members| Right::List(members, Span::default()));
    let right = prop_oneof![
        field().prop_map(|field| Right::Field(field, Span::default())),
        operand().prop_filter_map("a transformer", |operand| match operand {
            Operand::Transform(transform) => Some(Right::Transform(transform)),
            Operand::Field(_) => None,
        }),
    ];
    let compare = (
        operand(),
        proptest::sample::select(Operator::ALL),
        proptest::option::of(proptest::sample::select(Modifier::ALL)),
        (text(), values, right, "[+-]?[0-9]{1,4}"),
        any::<bool>(),
    )
        .prop_map(|(left, operator, modifier, (text, list, other, number), plain)| {
            let modifier = modifier.filter(|_| !operator.is_numeric() && !operator.takes_list());
            let right = match (modifier, plain) {
                (Some(_), _) => list,
                (None, false) => other,
                (None, true) if operator.is_numeric() => {
                    Right::Value(Value { text: number.into_bytes(), span: Span::default() })
                }
                (None, true) if operator.takes_list() => list,
                (None, true) => Right::Value(text),
            };
            ExprKind::Compare(Box::new(Comparison { left, operator, modifier, right }))
        });
    prop_oneof![
        compare,
        operand().prop_map(ExprKind::Exists),
        "[a-z]{1,5}".prop_map(ExprKind::Macro),
        Just(ExprKind::Macro("not".to_owned())),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    let bare = |kind| Expr { kind, span: Span::default() };
    check().prop_map(bare).prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(ExprKind::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(ExprKind::Or),
            inner.prop_map(|inner| ExprKind::Not(Box::new(inner))),
        ]
        .prop_map(bare)
    })
}

proptest! {
    /// Scenario: any tree is printed and read again.
    /// Guarantee: it is the same tree.
    #[test]
    fn printing_loses_nothing(expr in expr()) {
        let printed = expr.to_string();
        let read = parse_with(&printed, Limits::RULES);
        prop_assert_eq!(read.map(spanless), Ok(expr), "{}", printed);
    }

    /// Scenario: any text at all, and text made of the language's words.
    /// Guarantee: no panic; what is accepted prints as something that reads the same.
    #[test]
    fn any_text_is_survived(
        text in prop_oneof![
            any::<String>(),
            "(a\\.b|and|or|not|in|=|<| |\\(|\\)|,|'|\"|\\\\|\\[|\\]|tolower\\(|val\\(|oneof|exists|1|é){0,20}",
        ],
    ) {
        if let Ok(expr) = parse(&text) {
            let printed = expr.to_string();
            prop_assert_eq!(parse_with(&printed, Limits::RULES).map(spanless), Ok(spanless(expr)), "{}", printed);
        }
    }
}

/// Scenario: names without a dot and words behind `>=`, in both dialects; what Falco reads too, in the extended one.
/// Guarantee: only the extended dialect takes them as fields and values, and it reads all else as Falco does.
#[test]
fn the_extended_dialect_is_a_little_more() {
    let extended = |text: &str| parse_with(text, Limits::EXTENDED).map(|tree| tree.to_string());
    assert_eq!(extended("priority>=warning and not tags exists").unwrap(), "(priority >= warning and not tags exists)");
    assert!(parse("priority >= warning").is_err() && parse("a.b >= warning").is_err());
    assert_eq!(extended("rule").unwrap_err().kind, SyntaxErrorKind::Expected(Expected::Operator));
    for text in ["a.b = c", "a.b in (c, d) or not(a.c > 5)", "tolower(a.b) = val(a.c) and a.d[x] exists"] {
        assert_eq!(extended(text).unwrap(), parse(text).unwrap().to_string());
    }
}
