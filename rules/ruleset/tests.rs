//! That nothing is skipped that could match.

use super::*;
use crate::{
    evaluate::{Arena, FieldId, Fields, Run, Value},
    file::load,
};
use proptest::prelude::*;

struct Event([bool; 4]);

/// The fields are `jevt.value[a]` to `[d]`; each is `1` or missing.
struct Seen<'a>(&'a Event, &'a SourceRules);

impl Fields for Seen<'_> {
    fn get(&self, field: FieldId) -> Value<'_> {
        let name = self.1.fields()[field.index()].argument.as_deref().unwrap_or_default();
        let place = name.bytes().next().map_or(0, |letter| usize::from(letter - b'a'));
        if self.0.0[place] { Value::Text(b"1") } else { Value::Absent }
    }
}

fn check() -> impl Strategy<Value = String> {
    "[abcd]".prop_map(|letter| format!("jevt.value[{letter}] = 1"))
}

fn condition() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => check(),
        1 => check().prop_map(|check| format!("not {check}")),
        1 => (check(), check()).prop_map(|(one, other)| format!("({one} or {other})")),
    ];
    proptest::collection::vec(part, 1..4).prop_map(|parts| parts.join(" and "))
}

proptest! {
    /// Scenario: up to 150 rules that share parts, some of them off and on again, and every possible event.
    /// Guarantee: exactly the rules match whose conditions hold, in their order; the first is the first of them.
    #[test]
    fn gates_skip_nothing(conditions in proptest::collection::vec(condition(), 1..150), again in 0..150usize) {
        let text: String = conditions
            .iter()
            .enumerate()
            .map(|(place, condition)| {
                format!(
                    "- rule: r{place}\n  desc: d\n  condition: {condition}\n  output: o\n  priority: info\n  source: k8s_audit\n"
                )
            })
            .collect();
        let (mut ruleset, report) = load(&text);
        prop_assert!(report.accepted);
        let name = Selection::Name(format!("r{again}"));
        ruleset.select(&[
            Choice { enable: false, selection: name.clone() },
            Choice { enable: true, selection: name },
        ]);
        let rules = ruleset.source("k8s_audit").unwrap();
        prop_assert_eq!(rules.enabled_count(), conditions.len());
        for bits in 0..16u8 {
            let event = Event(std::array::from_fn(|place| bits & (1 << place) != 0));
            let seen = Seen(&event, rules);
            let arena = Arena::new();
            let run = Run::new(rules.program(), &seen, &arena);
            let found: Vec<usize> = rules.all(&run).map(|hit| hit.rule).collect();
            let mut order: Vec<usize> = (0..conditions.len()).filter(|place| *place != again).collect();
            order.extend((again < conditions.len()).then_some(again));
            let naive = Run::new(rules.program(), &seen, &arena);
            let expected: Vec<usize> = order.into_iter().filter(|place| naive.holds(rules.rules[*place].node)).collect();
            prop_assert_eq!(rules.first(&run).map(|hit| hit.rule), expected.first().copied());
            prop_assert_eq!(found, expected);
        }
    }
}
