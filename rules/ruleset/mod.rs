//! Compiled rules, ready for events.
//!
//! Promises: rules are tried in the order of their first definitions (one that was switched off and on again comes
//! last), rules that are off are never tried; evaluation allocates nothing but from the arena.

mod gates;
mod select;
mod source;
#[cfg(test)]
mod tests;

pub use select::{Choice, Selection};
pub use source::{CompiledRule, Hits, SourceRules};

use crate::priority::Priority;
use std::{collections::BTreeSet, sync::Arc};

/// All rules.
#[derive(Debug, Clone, Default)]
pub struct Ruleset {
    pub(crate) rules: Vec<Rule>,
    pub(crate) sources: Vec<SourceRules>,
    pub(crate) lists: Vec<(String, Vec<String>)>,
    pub(crate) macros: Vec<(String, String)>,
}

/// What is known of a rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name.
    pub name: Arc<str>,
    /// What it is about.
    pub description: Arc<str>,
    /// The source of its events.
    pub source: Arc<str>,
    /// How severe its findings are.
    pub priority: Priority,
    /// Its tags, sorted.
    pub tags: BTreeSet<String>,
    /// Its output template, with what is appended by configuration.
    pub output: Arc<str>,
    /// Its condition as written, without lists, macros and exceptions put in.
    pub condition: Arc<str>,
    /// Its condition as Falco shows it, with everything put in; empty if the rule is not compiled or it is very long.
    pub compiled_condition: Arc<str>,
    /// Whether the file says that it is on.
    pub enabled: bool,
    /// Whether a capture is asked for.
    pub capture: bool,
    /// How long the capture shall be, in milliseconds.
    pub capture_duration: u32,
    /// Whether it could be compiled. It is not if its source is unknown, or it was skipped.
    pub compiled: bool,
}

impl Ruleset {
    /// All rules in order, also those that are off or not compiled.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of a name.
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| &*rule.name == name)
    }

    /// The compiled rules of a source.
    pub fn source(&self, name: &str) -> Option<&SourceRules> {
        self.sources.iter().find(|source| &*source.name == name)
    }

    /// The lists with their items, lists among them put in.
    pub fn lists(&self) -> &[(String, Vec<String>)] {
        &self.lists
    }

    /// The macros with their conditions as written.
    pub fn macros(&self) -> &[(String, String)] {
        &self.macros
    }

    /// How many rules are on, over all sources.
    pub fn enabled_count(&self) -> usize {
        self.sources.iter().map(|source| source.enabled.len()).sum()
    }

    /// Switches rules on and off, in the order of the choices.
    pub fn select(&mut self, choices: &[Choice]) {
        for choice in choices {
            for source in &mut self.sources {
                source.select(choice, &self.rules);
            }
        }
        self.sources.iter_mut().for_each(SourceRules::find_gates);
    }
}
