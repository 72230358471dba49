//! Finding the bad records of a refused request by halving it.
//!
//! Promises
//! - A bad record ends up alone, and its neighbours are delivered: at most about `2 log2(n)` requests for each among `n`.
//! - A sink that refuses everything is not asked `2n` times: after [`IN_A_ROW`] refusals in a row single records, spread over
//!   what is left, are tried, and when [`SAMPLES`] of them are refused as well, all that is left is given up. After a
//!   request of which nothing got through, the next one is given up after itself and two records ([`WITHOUT_TRUST`]).
//!
//! Why records and not a count of refusals alone: with every seventh record bad, all parts of seven are refused, and still
//! six of seven records are good. Parts are tried level by level, halves before quarters, so that a run of bad records at
//! the start does not look like a sink that refuses everything. Nothing is kept of the order within a request of which
//! something was refused.

use super::taken::Taken;
use std::collections::VecDeque;

/// So many refusals in a row: the whole, its halves, its quarters.
pub(super) const IN_A_ROW: usize = 7;
/// So many single records are tried then.
pub(super) const SAMPLES: usize = 8;
/// The same when nothing of the request before got through.
pub(super) const WITHOUT_TRUST: (usize, usize) = (1, 2);

/// A request and what became of it.
pub(super) struct Bisection {
    waiting: VecDeque<Taken>,
    in_a_row: usize,
    /// Refusals in a row before samples are taken, and how many of those.
    patience: (usize, usize),
    /// Samples that were not tried yet, at the front of what waits.
    samples: usize,
    halved: bool,
    /// Whether the sink took any part.
    something_taken: bool,
}

impl Bisection {
    /// Starts with the whole. `trusts`: whether the sink is known to take anything.
    pub fn new(whole: Taken, trusts: bool) -> Self {
        let patience = if trusts { (IN_A_ROW, SAMPLES) } else { WITHOUT_TRUST };
        Self { waiting: [whole].into(), in_a_row: 0, patience, samples: 0, halved: false, something_taken: false }
    }

    /// The part to send next.
    pub fn next(&mut self) -> Option<Taken> {
        self.waiting.pop_front()
    }

    /// The sink took the last part.
    pub fn taken(&mut self) {
        (self.something_taken, self.patience) = (true, (IN_A_ROW, SAMPLES));
        (self.in_a_row, self.samples) = (0, 0);
    }

    /// The sink refused a part because of what is in it. Gives back what is given up now.
    pub fn refused(&mut self, part: Taken) -> Vec<Taken> {
        self.in_a_row += 1;
        if self.samples > 0 {
            self.samples -= 1;
            return if self.samples == 0 { self.all_refused(Some(part)) } else { vec![part] };
        }
        let halves = part.halves();
        let alone = halves.len() < 2;
        let mut given_up = Vec::new();
        if alone {
            given_up.extend(halves);
        } else {
            self.halved = true;
            self.waiting.extend(halves);
        }
        let (in_a_row, samples) = self.patience;
        if self.in_a_row >= in_a_row && self.waiting.len() >= samples {
            self.sample(samples);
        }
        given_up
    }

    /// The sink takes nothing from us: everything is given up, with what is left of the last part.
    pub fn all_refused(&mut self, part: Option<Taken>) -> Vec<Taken> {
        part.into_iter().chain(self.waiting.drain(..)).collect()
    }

    /// What was learnt about the sink: whether it takes anything; `None` if nothing new.
    pub fn trusts(&self) -> Option<bool> {
        (self.something_taken || self.halved).then_some(self.something_taken)
    }

    /// Puts a record of each of so many parts, spread over what waits, to the front. Which record is left to chance, because
    /// senders take turns, and bad records come in regular distances.
    fn sample(&mut self, samples: usize) {
        let parts = self.waiting.len();
        let chosen = |part: usize| part * samples / parts != (part + 1) * samples / parts;
        let (mut first, mut rest) = (VecDeque::new(), VecDeque::new());
        for (number, part) in self.waiting.drain(..).enumerate() {
            if !chosen(number) {
                rest.push_back(part);
                continue;
            }
            let at = fastrand::usize(..part.request.items.max(1));
            let mut pieces = part.one_alone(at).into_iter();
            first.extend(pieces.next());
            rest.extend(pieces);
        }
        self.samples = first.len();
        first.append(&mut rest);
        self.waiting = first;
    }
}
