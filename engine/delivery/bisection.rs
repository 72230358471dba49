//! Finding the bad records of a refused request by halving it.
//!
//! Promises
//! - A bad record ends up alone, and its neighbours are delivered: about `2 log2(n)` requests for one among `n`.
//! - A sink that refuses everything is not asked `2n` times: after [`PATIENCE`] refusals in a row what is left is given up,
//!   and while nothing at all gets through, after [`WITHOUT_TRUST`].
//!
//! Parts are tried level by level, halves before quarters, so that the refusals in a row cover the whole request: a run of
//! bad records at its start does not look like a sink that refuses everything. Nothing is kept of the order within a
//! request of which something was refused.

use super::taken::Taken;
use std::collections::VecDeque;

/// Refusals in a row after which a request is given up.
pub(super) const PATIENCE: u32 = 64;
/// The same when the request before was given up as a whole: the request and its two halves.
pub(super) const WITHOUT_TRUST: u32 = 3;

/// A request and what became of it.
pub(super) struct Bisection {
    waiting: VecDeque<Taken>,
    in_a_row: u32,
    patience: u32,
    halved: bool,
    /// Whether the sink took any part.
    something_taken: bool,
}

impl Bisection {
    /// Starts with the whole. `trusts`: whether the sink is known to take anything.
    pub fn new(whole: Taken, trusts: bool) -> Self {
        let patience = if trusts { PATIENCE } else { WITHOUT_TRUST };
        Self { waiting: [whole].into(), in_a_row: 0, patience, halved: false, something_taken: false }
    }

    /// The part to send next.
    pub fn next(&mut self) -> Option<Taken> {
        self.waiting.pop_front()
    }

    /// The sink took the last part.
    pub fn taken(&mut self) {
        (self.something_taken, self.in_a_row, self.patience) = (true, 0, PATIENCE);
    }

    /// The sink refused a part because of what is in it. Gives back what is given up now.
    pub fn refused(&mut self, part: Taken) -> Vec<Taken> {
        self.in_a_row += 1;
        if self.in_a_row >= self.patience {
            return std::iter::once(part).chain(self.waiting.drain(..)).collect();
        }
        let mut halves = part.halves();
        if halves.len() < 2 {
            return halves.drain(..).collect();
        }
        self.halved = true;
        self.waiting.extend(halves);
        Vec::new()
    }

    /// The sink takes nothing from us: everything is given up.
    pub fn all_refused(&mut self, part: Taken) -> Vec<Taken> {
        std::iter::once(part).chain(self.waiting.drain(..)).collect()
    }

    /// What was learnt about the sink: whether it takes anything; `None` if nothing new.
    pub fn trusts(&self) -> Option<bool> {
        (self.something_taken || self.halved).then_some(self.something_taken)
    }
}
