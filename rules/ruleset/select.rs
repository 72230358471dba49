//! Which rules are on.

use super::{Rule, SourceRules};
use crate::evaluate::Glob;

/// Switches the rules of a selection on or off.
#[derive(Debug, Clone)]
pub struct Choice {
    /// On or off.
    pub enable: bool,
    /// Which rules.
    pub selection: Selection,
}

/// Some rules.
#[derive(Debug, Clone)]
pub enum Selection {
    /// Those whose name is like this; `*` stands for any text.
    Name(String),
    /// Those that have this tag.
    Tag(String),
}

impl SourceRules {
    /// A rule that is switched on comes last, unless it was on.
    pub(super) fn select(&mut self, choice: &Choice, rules: &[Rule]) {
        let glob = match &choice.selection {
            Selection::Name(pattern) => Some(Glob::new(pattern.as_bytes(), false)),
            Selection::Tag(_) => None,
        };
        let mut is_on = vec![false; self.rules.len()];
        self.enabled.iter().for_each(|index| is_on[*index] = true);
        for (index, compiled) in self.rules.iter().enumerate() {
            let Some(rule) = rules.get(compiled.rule) else { continue };
            let chosen = match (&choice.selection, &glob) {
                (Selection::Tag(tag), _) => rule.tags.contains(tag),
                (Selection::Name(_), Some(glob)) => glob.matches(rule.name.as_bytes()),
                (Selection::Name(_), None) => false,
            };
            match (chosen, choice.enable) {
                (true, true) if !is_on[index] && rule.priority.is_at_least(self.minimum) => self.enabled.push(index),
                (true, false) => is_on[index] = false,
                _ => {}
            }
        }
        if !choice.enable {
            self.enabled.retain(|index| is_on[*index]);
        }
    }
}
