//! The rules of one source.

use crate::{
    evaluate::{Field, Fields, NodeId, Program, Run},
    output::Template,
    priority::Priority,
};
use std::sync::Arc;

/// The compiled rules of one source.
#[derive(Debug, Clone)]
pub struct SourceRules {
    pub(crate) name: Arc<str>,
    pub(crate) program: Program,
    pub(crate) rules: Vec<CompiledRule>,
    /// Places in `rules` of those that are on, in the order in which they are tried.
    pub(crate) enabled: Vec<usize>,
    /// Less severe rules cannot be switched on.
    pub(crate) minimum: Priority,
}

/// A rule that can be evaluated.
#[derive(Debug, Clone)]
pub struct CompiledRule {
    /// Its place in [`super::Ruleset::rules`].
    pub rule: usize,
    /// Its message.
    pub template: Template,
    pub(crate) node: NodeId,
}

impl SourceRules {
    /// The name of the source.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The conditions. An event must be able to give its [`Program::fields`].
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The fields that an event is asked for.
    pub fn fields(&self) -> &[Field] {
        self.program.fields()
    }

    /// How many rules are on.
    pub fn enabled_count(&self) -> usize {
        self.enabled.len()
    }

    /// The first rule whose condition holds: Falco's `rule_matching: first`.
    #[inline]
    pub fn first<'r, F: Fields + ?Sized>(&'r self, run: &'r Run<'_, F>) -> Option<&'r CompiledRule> {
        self.all(run).next()
    }

    /// Every rule whose condition holds, in order: Falco's `rule_matching: all`.
    #[inline]
    pub fn all<'r, 'e, F: Fields + ?Sized>(&'r self, run: &'r Run<'e, F>) -> Hits<'r, 'e, F> {
        Hits { source: self, run, next: 0 }
    }
}

/// The rules whose conditions hold for an event.
pub struct Hits<'r, 'e, F: Fields + ?Sized> {
    source: &'r SourceRules,
    run: &'r Run<'e, F>,
    next: usize,
}

impl<'r, F: Fields + ?Sized> Iterator for Hits<'r, '_, F> {
    type Item = &'r CompiledRule;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while let Some(index) = self.source.enabled.get(self.next) {
            self.next += 1;
            let rule = &self.source.rules[*index];
            if self.run.holds(rule.node) {
                return Some(rule);
            }
        }
        None
    }
}
