//! The rules of one source.

use super::gates::Gates;
use crate::{
    evaluate::{Field, FieldId, Fields, NodeId, Program, Run},
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
    gates: Gates,
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
    /// `enabled`: see the field.
    pub(crate) fn new(
        name: &str,
        program: Program,
        rules: Vec<CompiledRule>,
        enabled: Vec<usize>,
        minimum: Priority,
    ) -> Self {
        let mut source = Self { name: name.into(), program, rules, enabled, minimum, gates: Gates::default() };
        source.find_gates();
        source
    }

    /// To be called whenever other rules are on.
    pub(super) fn find_gates(&mut self) {
        let conditions: Vec<NodeId> = self.enabled.iter().map(|index| self.rules[*index].node).collect();
        self.gates = Gates::new(&conditions, &self.program);
    }

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

    /// The numbers of these fields.
    pub fn field_ids(&self) -> impl Iterator<Item = FieldId> {
        (0..self.program.fields().len()).map(|index| FieldId(u32::try_from(index).unwrap_or(u32::MAX)))
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
        let candidates = self.gates.candidates(run);
        Hits { source: self, run, candidates, word: candidates.first().copied().unwrap_or(0), base: 0 }
    }
}

/// The rules whose conditions hold for an event.
pub struct Hits<'r, 'e, F: Fields + ?Sized> {
    source: &'r SourceRules,
    run: &'r Run<'e, F>,
    /// Those that may hold and were not tried yet.
    candidates: &'e [u64],
    /// What is left of the first word.
    word: u64,
    /// The place of the first bit of that word.
    base: usize,
}

impl<'r, F: Fields + ?Sized> Iterator for Hits<'r, '_, F> {
    type Item = &'r CompiledRule;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while self.word == 0 {
                self.candidates = self.candidates.get(1..)?;
                self.word = *self.candidates.first()?;
                self.base += 64;
            }
            let place = self.base + self.word.trailing_zeros() as usize;
            self.word &= self.word - 1;
            let rule = &self.source.rules[self.source.enabled[place]];
            if self.run.holds(rule.node) {
                return Some(rule);
            }
        }
    }
}
