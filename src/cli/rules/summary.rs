//! What became of the events: the last lines on stderr.

use super::files::plural;
use lanner_rules::ruleset::Ruleset;
use std::{collections::BTreeMap, fmt::Write};

/// Most lines of the input that are named one by one.
const NAMED: u64 = 20;

/// Counts events.
pub struct Summary {
    events: u64,
    matched: u64,
    /// How often each rule matched, in the order of the rules.
    by_rule: Vec<u64>,
    /// Reasons are constants, so there are few.
    skipped: BTreeMap<&'static str, u64>,
}

impl Summary {
    pub fn new(ruleset: &Ruleset) -> Self {
        Self { events: 0, matched: 0, by_rule: vec![0; ruleset.rules().len()], skipped: BTreeMap::new() }
    }

    /// The number of the event that comes next, from 1.
    pub fn next_number(&self) -> u64 {
        self.events + 1
    }

    /// An event was evaluated, and these rules match.
    pub fn evaluated(&mut self, rules: &[usize]) {
        self.events += 1;
        self.matched += u64::from(!rules.is_empty());
        for rule in rules {
            if let Some(count) = self.by_rule.get_mut(*rule) {
                *count += 1;
            }
        }
    }

    /// An event was not evaluated. The first ones are named.
    pub fn skipped(&mut self, line: u64, reason: &'static str) {
        self.events += 1;
        let sum: u64 = self.skipped.values().sum();
        if sum < NAMED {
            eprintln!("lanner: line {line} is skipped: {reason}");
        } else if sum == NAMED {
            eprintln!("lanner: more is skipped, and only counted");
        }
        *self.skipped.entry(reason).or_default() += 1;
    }

    /// The sums: events, and matches by rule, the most frequent first.
    pub fn text(&self, ruleset: &Ruleset) -> String {
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let skipped: u64 = self.skipped.values().sum();
        let mut out = format!("{}, {} matched, {skipped} skipped", plural(count(self.events), "event"), self.matched);
        let reasons: Vec<_> = self.skipped.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        if !reasons.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(out, " ({})", reasons.join(", "));
        }
        let mut matched: Vec<_> = ruleset.rules().iter().zip(&self.by_rule).filter(|(_, count)| **count > 0).collect();
        matched.sort_by_key(|(rule, count)| (std::cmp::Reverse(**count), &rule.name));
        for (rule, count) in matched {
            let name: String = rule.name.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
            let _ = write!(out, "\n{count:>8}  {name}");
        }
        out
    }
}
