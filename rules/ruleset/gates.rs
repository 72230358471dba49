//! Which rules need not be tried for an event.
//!
//! Most conditions are conjunctions, and many of them share parts: the stage, the verb, the resource. Such a part is a
//! gate: where it does not hold, none of the rules that need it can. So gates are asked first, those of most rules
//! first, and only while there are still several rules behind them.

use crate::evaluate::{Fields, Node, NodeId, Program, Run};
use std::collections::HashMap;

/// More gates than this cost more than they save.
const MOST: usize = 64;

/// The gates of a source's rules that are on.
#[derive(Debug, Clone, Default)]
pub(super) struct Gates {
    gates: Vec<(NodeId, Box<[u64]>)>,
    all: Box<[u64]>,
}

impl Gates {
    /// The gates of conditions, by their places in the order in which they are tried.
    pub fn new(conditions: &[NodeId], program: &Program) -> Self {
        let words = conditions.len().div_ceil(64);
        let mut all = vec![0; words].into_boxed_slice();
        let mut needed: HashMap<NodeId, Box<[u64]>> = HashMap::new();
        for (place, condition) in conditions.iter().enumerate() {
            set(&mut all, place);
            let parts = match &program.nodes[condition.index()] {
                Node::And(parts) => &**parts,
                _ => std::slice::from_ref(condition),
            };
            for part in parts {
                set(needed.entry(*part).or_insert_with(|| vec![0; words].into()), place);
            }
        }
        let mut gates: Vec<_> = needed.into_iter().filter(|(_, rules)| count(rules) > 1).collect();
        gates.sort_by_key(|(node, rules)| (std::cmp::Reverse(count(rules)), *node));
        gates.truncate(MOST);
        Self { gates, all }
    }

    /// The places of the conditions that may hold, as bits.
    pub fn candidates<'e, F: Fields + ?Sized>(&self, run: &Run<'e, F>) -> &'e [u64] {
        let candidates = run.arena().bump().alloc_slice_copy(&self.all);
        for (node, rules) in &self.gates {
            let behind: u32 = candidates.iter().zip(rules).map(|(may, needs)| (may & needs).count_ones()).sum();
            if behind > 1 && !run.holds(*node) {
                candidates.iter_mut().zip(rules).for_each(|(may, needs)| *may &= !needs);
            }
        }
        candidates
    }
}

fn set(bits: &mut [u64], place: usize) {
    if let Some(word) = bits.get_mut(place / 64) {
        *word |= 1 << (place % 64);
    }
}

fn count(bits: &[u64]) -> u32 {
    bits.iter().map(|word| word.count_ones()).sum()
}
