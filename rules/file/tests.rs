//! Places, bounds, and what the upstream cases do not have.

use super::*;

const RULE: &str = "- rule: R\n  desc: d\n  output: o %ka.verb\n  priority: INFO\n  source: k8s_audit\n  condition: ";

fn rule(condition: &str) -> String {
    format!("{RULE}{condition}\n")
}

fn only_error(text: &str) -> Diagnostic {
    let (_, report) = load(text);
    assert!(!report.accepted);
    let mut errors = report.errors();
    let first = errors.next().unwrap().clone();
    assert_eq!(errors.next(), None, "{first}");
    first
}

/// Scenario: an unknown field in a plain, a quoted and a folded condition, and behind a list that is put in before it.
/// Guarantee: the finding has the line and column of the field in the file, shows the line, and says what was meant.
#[test]
fn a_finding_stands_where_the_mistake_is() {
    for (condition, line, column) in [
        ("ka.verb = get and ka.usr.name = x", 6, 32),
        ("\"ka.verb = get and ka.usr.name = x\"", 6, 33),
        ("'ka.verb = get and ka.usr.name = x'", 6, 33),
        (">\n    ka.verb = get\n    and ka.usr.name = x", 8, 9),
        ("|\n    ka.verb = get\n\n    and (\n      ka.usr.name = x)", 10, 7),
        ("ka.verb in (verbs) and ka.usr.name = x", 6, 37),
    ] {
        let text = format!("{}- list: verbs\n  items: [get, list, watch, \"a b\"]\n", rule(condition));
        let error = only_error(&text);
        assert_eq!(error.code, Code::CompileCondition);
        assert_eq!((error.place.line, error.place.column), (line, column), "{condition:?}\n{error}");
        assert!(error.message.contains("did you mean `ka.user.name`"), "{error}");
        assert!(error.excerpt.ends_with(&"^".repeat("ka.usr.name".len())), "{error}");
    }
}

/// Scenario: a mistake in a macro, in an appended condition, in an exception's value and in an output.
/// Guarantee: each is shown where it is written, not where it is used.
#[test]
fn a_finding_stands_in_its_own_item() {
    let in_macro = "- macro: m\n  condition: ka.verb = get and ka.x = 1\n".to_owned() + &rule("m");
    assert_eq!(only_error(&in_macro).place.line, 2);
    let appended =
        rule("ka.verb = get") + "- rule: R\n  condition: and (ka.verb = list\n  override: {condition: append}\n";
    assert_eq!(only_error(&appended).place.line, 8);
    let exception = rule("ka.verb = get")
        + "  exceptions:\n  - name: e\n    fields: [ka.verb]\n    comps: [regex]\n    values:\n    - [\"(\"]\n";
    assert_eq!(only_error(&exception).place.line, 12);
    let output = rule("ka.verb = get").replace("%ka.verb", "%ka.vreb");
    let error = only_error(&output);
    assert_eq!((error.code, error.place.line, error.place.column), (Code::CompileOutput, 3, 13), "{error}");
    assert!(error.message.contains("did you mean %ka.verb"), "{error}");
}

/// Scenario: a file with seven mistakes of different kinds.
/// Guarantee: all of them are reported in one run, in the order of the file, and nothing of the file is taken.
#[test]
fn everything_wrong_is_reported() {
    let text = "- rule: A\n  priority: loud\n- list: l\n- macro: m\n  condition: x\n  append: maybe\n- 7\n\
                - rule: B\n  desc: d\n  condition: ka.verb = get\n  output: o\n  priority: info\n  override: {source: replace}\n";
    let (ruleset, report) = load(text);
    let lines: Vec<u32> = report.errors().map(|error| error.place.line).collect();
    assert_eq!(lines.len(), 8, "{:#?}", report.diagnostics);
    assert!(lines.is_sorted());
    assert!(ruleset.rules().is_empty());
    let text = rule("ka.verb = get and ka.x = 1 and ka.y in (a, b) and nothing and ka.uri.param = x");
    let (_, report) = load(&text);
    assert_eq!(report.errors().count(), 4, "{:#?}", report.diagnostics);
}

/// Scenario: a good file, then one with an error.
/// Guarantee: the rules of the first stay as they were, and a later good file builds on them.
#[test]
fn a_file_is_taken_as_a_whole() {
    let mut loader = Loader::new(Options::default());
    assert!(loader.load("a", &rule("ka.verb = get")).accepted);
    let bad = "- rule: R\n  condition: ka.verb = list\n  override: {condition: replace}\n- rule: S\n  enabled: true\n";
    assert!(!loader.load("b", bad).accepted);
    assert_eq!(&*loader.rules().rule("R").unwrap().condition, "ka.verb = get");
    let good = "- rule: R\n  condition: or ka.verb = list\n  override: {condition: append}\n";
    assert!(loader.load("c", good).accepted);
    assert_eq!(&*loader.rules().rule("R").unwrap().compiled_condition, "(ka.verb = get or ka.verb = list)");
}

/// Scenario: macros that need each other, a macro that is used before it is defined, and one that is redefined later.
/// Guarantee: loops and forward references are errors that name the macro; the redefinition counts everywhere.
#[test]
fn macros_see_what_stands_before_them() {
    let m = |name: &str, condition: &str| format!("- macro: {name}\n  condition: {condition}\n");
    let error = only_error(&(m("a", "b") + &m("b", "ka.verb = get") + &rule("a")));
    assert!(error.message.contains("Undefined macro 'b'") && error.message.contains("further down"), "{error}");
    let (_, report) = load(&(m("a", "ka.verb = x") + &m("b", "a") + &m("a", "b or ka.verb = get") + &rule("a")));
    assert!(report.errors().any(|error| error.message.contains("reference loop in macro")), "{report:#?}");
    let (_, report) = load(&(m("a", "a or ka.verb = get") + &rule("a")));
    assert!(!report.accepted);
    let (ruleset, report) = load(&(m("a", "ka.verb = x") + &m("b", "a") + &rule("b") + &m("a", "ka.verb = y")));
    assert!(report.accepted, "{report:#?}");
    assert_eq!(&*ruleset.rule("R").unwrap().compiled_condition, "ka.verb = y");
}

/// Scenario: lists in lists, in quotes, empty, and named like a part of a word.
/// Guarantee: they are put in as Falco does it, which is textual; in quotes that is warned of.
#[test]
fn lists_are_text() {
    let lists = "- list: empty\n  items: []\n- list: l\n  items: [a, \"b c\"]\n- list: outer\n  items: [l, d]\n";
    let condition = |text: &str| {
        let (ruleset, report) = load(&(lists.to_owned() + &rule(text)));
        assert!(report.accepted, "{report:#?}");
        (ruleset.rule("R").unwrap().compiled_condition.to_string(), report)
    };
    assert_eq!(condition("ka.verb in (outer)").0, "ka.verb in (a, \"b c\", d)");
    assert_eq!(condition("ka.verb in (empty)").0, "ka.verb in ()");
    assert_eq!(condition("ka.verb in (x, empty, y)").0, "ka.verb in (x, y)");
    assert_eq!(condition("ka.verb in (empty, y)").0, "ka.verb in (y)");
    assert_eq!(condition("ka.verb in (l.x, xl, l)").0, "ka.verb in (l.x, xl, a, \"b c\")");
    let (text, report) = condition("ka.uri = 'x outer y'");
    assert!(text.contains("x a,"), "{text}");
    assert!(report.warnings().any(|finding| finding.code == Code::Surprise), "{report:#?}");
}

/// Scenario: a list whose name is a macro's, one called `or`, and a misspelt list.
/// Guarantee: each loads as in Falco, with a warning that names it.
#[test]
fn surprising_lists_are_warned_of() {
    let text = "- list: m\n  items: []\n- macro: m\n  condition: ka.verb = x\n- list: or\n  items: []\n\
                - list: my_verbs\n  items: [get]\n"
        .to_owned()
        + &rule("ka.verb in (my_vrebs)");
    let (_, report) = load(&text);
    let said: Vec<_> = report.warnings().filter(|finding| finding.code == Code::Surprise).collect();
    assert!(report.accepted);
    assert_eq!(said.len(), 3, "{said:#?}");
    assert!(said[2].message.contains("did you mean `my_verbs`"), "{said:#?}");
    assert_eq!((said[2].place.line, said[2].place.column), (14, 26));
}

/// Scenario: a file of many megabytes, aliases that multiply, lists and macros that multiply, depth without end.
/// Guarantee: each is an error, soon; nothing overflows.
#[test]
fn hostile_files_are_bounded() {
    let codes = |text: &str| load(text).1.errors().map(|error| error.code).collect::<Vec<_>>();
    assert_eq!(codes(&"#".repeat(limits::FILE_BYTES + 1)), [Code::TooLarge]);
    assert_eq!(codes(&"[".repeat(100_000)), [Code::TooLarge]);
    let mut bomb = String::from("- &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        bomb += &format!("- &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", "));
    }
    assert_eq!(codes(&bomb), [Code::TooLarge]);
    let mut lists = String::new();
    for level in 0..40 {
        lists += &format!("- list: l{}\n  items: [l{}, l{}]\n", level, level + 1, level + 1);
    }
    assert_eq!(codes(&(lists + &rule("ka.verb in (l0)"))), [Code::TooLarge]);
    let keys: String = (0..2000).map(|key| format!("  k{key}: v\n")).collect();
    assert_eq!(codes(&format!("- rule: x\n{keys}")), [Code::TooLarge]);
    // Macros are not copied, so these are small; but they are deep.
    let mut macros = String::from("- macro: m0\n  condition: ka.verb = get\n");
    for level in 1..30 {
        macros += &format!("- macro: m{level}\n  condition: m{0} and not m{0} or m{0}\n", level - 1);
    }
    assert!(codes(&(macros.clone() + &rule("m29"))).is_empty());
    for level in 30..5000 {
        macros += &format!("- macro: m{level}\n  condition: not m{} or ka.uri = {level}\n", level - 1);
    }
    assert_eq!(codes(&(macros + &rule("m4999"))), [Code::CompileCondition]);
}

/// Scenario: terminal control sequences in names, keys, values, patterns and plugins.
/// Guarantee: no finding has a control character in it but line breaks.
#[test]
fn findings_are_harmless() {
    let text = "- \"ru\\e[31mle\": x\n- rule: \"a\\e[1m\"\n  desc: d\n  priority: info\n  output: \"%\\e[1m\"\n  \"k\\e\": 1\n  source: k8s_audit\n  \
                condition: \"ka.verb regex '\\e(' or ka.verb = 'ka.uri.param[\\\"\\e\\\"]'\"\n\
                - required_plugin_versions: [{name: \"\\e\", version: 1.0.0}]\n- list: \"\\e\"\n  items: []\n";
    let (_, report) = load(text);
    assert!(report.diagnostics.len() > 4, "{report:#?}");
    for finding in &report.diagnostics {
        let shown = finding.to_string();
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    }
}

/// Scenario: versions of plugins and of the engine that are there, and that are not.
/// Guarantee: one of the alternatives is enough; otherwise the message says what is missing.
#[test]
fn requirements() {
    let requires = |text: &str| load(&format!("- required_plugin_versions:\n{text}")).1;
    assert!(requires("  - {name: k8saudit, version: 0.16.0}\n").accepted);
    assert!(requires("  - {name: x, version: 0.1.0, alternatives: [{name: json, version: 0.7.0}]}\n").accepted);
    let report = requires("  - {name: k8saudit, version: 0.99.0}\n");
    assert!(report.errors().any(|error| error.message.contains("k8saudit 0.99.0")), "{report:#?}");
    assert!(!requires("  - {name: okta, version: 0.1.0}\n").accepted);
    assert!(!requires("  - {name: okta, version: one}\n").accepted);
    assert!(load("- required_engine_version: 0.26.0\n").1.accepted);
    assert!(load("- required_engine_version: 15\n").1.accepted);
    assert!(!load("- required_engine_version: 1.0.0\n").1.accepted);
    assert!(!load("- required_engine_version: 0.64.0\n").1.accepted);
}

/// Scenario: rules of all priorities, with a minimum.
/// Guarantee: less severe ones are loaded, and no choice switches them on.
#[test]
fn the_minimum_priority_keeps_rules_off() {
    use crate::{
        priority::Priority,
        ruleset::{Choice, Selection},
    };
    let options = Options { minimum_priority: Priority::Warning, ..Options::default() };
    let mut loader = Loader::new(options);
    let rules: String = Priority::ALL
        .iter()
        .map(|priority| {
            rule("ka.verb = get").replace("INFO", priority.word()).replace("rule: R", &format!("rule: {priority}"))
        })
        .collect();
    assert!(loader.load("r", &rules).accepted);
    let mut ruleset = loader.finish();
    assert_eq!((ruleset.rules().len(), ruleset.enabled_count()), (8, 5));
    ruleset.select(&[Choice { enable: true, selection: Selection::Name("*".to_owned()) }]);
    assert_eq!(ruleset.enabled_count(), 5);
    assert!(Priority::Error.is_at_least(Priority::Warning) && !Priority::Notice.is_at_least(Priority::Warning));
}

proptest::proptest! {
    /// Scenario: any text, and YAML made of the language's words.
    /// Guarantee: no panic; what is refused has an error, what is taken has none.
    #[test]
    fn any_file_is_survived(
        text in proptest::prop_oneof![
            proptest::prelude::any::<String>(),
            "(- rule: a\n|- list: b\n|- macro: c\n|  condition: (ka\\.verb = b|c|not c and \\(|>\n    x)\n|  items: \\[b, 'x y'\\]\n|  output: '%ka\\.verb %x'\n|  desc: d\n|  priority: info\n|  source: k8s_audit\n|  exceptions: \\[\\{name: e, fields: ka\\.verb, values: \\[b\\]\\}\\]\n|  append: true\n|  override: \\{items: append\\}\n|  enabled: no\n){0,24}",
        ],
    ) {
        let (_, report) = load(&text);
        proptest::prop_assert_eq!(report.accepted, report.errors().next().is_none());
    }
}
