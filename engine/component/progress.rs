//! `Progress`: what earlier attempts at a request got done, for exporters that send one in several parts.
//!
//! Promises: an item that is settled stays so, whatever becomes of the attempt that settled it (a time limit, a later
//! part that failed), so that no attempt repeats what a sink has; one byte per item.

use super::Outcome;
use parking_lot::Mutex;

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The sink has it.
    Delivered,
    /// The sink will never take it.
    Rejected { reason: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Delivered,
    Rejected,
}

/// Where the items of a request stand at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Items that are not settled, in order.
    pub open: Vec<usize>,
    /// How many the sink has.
    pub delivered: usize,
    /// Those that the sink will never take, in order.
    pub rejected: Vec<usize>,
    /// Why the first of them was rejected.
    pub reason: String,
}

/// The items of one request.
#[derive(Debug)]
pub struct Progress(Mutex<Items>);

#[derive(Debug)]
struct Items {
    states: Vec<State>,
    /// Why the first one was rejected.
    reason: String,
}

impl Progress {
    pub(super) fn new(items: usize) -> Self {
        Self(Mutex::new(Items { states: vec![State::Open; items], reason: String::new() }))
    }

    /// Settles an item, counted from 0; one that is settled already or does not exist stays as it is.
    pub fn settle(&self, item: usize, settled: Settled) {
        let mut items = self.0.lock();
        let Some(state @ State::Open) = items.states.get_mut(item) else { return };
        match settled {
            Settled::Delivered => *state = State::Delivered,
            Settled::Rejected { reason } => {
                *state = State::Rejected;
                if items.reason.is_empty() {
                    items.reason = reason;
                }
            }
        }
    }

    /// The items that are not settled, in order.
    pub fn open(&self) -> Vec<usize> {
        self.standing().open
    }

    /// Where all items stand, at one moment: some may be on their way.
    pub(crate) fn standing(&self) -> Standing {
        let items = self.0.lock();
        let mut standing = Standing { reason: items.reason.clone(), ..Standing::default() };
        for (item, state) in items.states.iter().enumerate() {
            match state {
                State::Open => standing.open.push(item),
                State::Delivered => standing.delivered += 1,
                State::Rejected => standing.rejected.push(item),
            }
        }
        standing
    }

    /// Whether an item is not settled.
    pub fn is_open(&self, item: usize) -> bool {
        self.0.lock().states.get(item) == Some(&State::Open)
    }

    /// The items that the sink will never take, in order; `None` while an item is open.
    pub fn rejected(&self) -> Option<Vec<usize>> {
        let standing = self.standing();
        standing.open.is_empty().then_some(standing.rejected)
    }

    /// The items that the sink is not known to have, in order.
    pub fn undelivered(&self) -> Vec<usize> {
        let items = self.0.lock();
        let states = items.states.iter().enumerate();
        states.filter(|(_, state)| **state != State::Delivered).map(|(item, _)| item).collect()
    }

    /// What the request came to; `None` while an item is open.
    pub fn outcome(&self) -> Option<Outcome> {
        let items = self.0.lock();
        if items.states.contains(&State::Open) {
            return None;
        }
        let rejected = items.states.iter().filter(|state| **state == State::Rejected).count();
        let reason = items.reason.clone();
        Some(match rejected {
            0 => Outcome::Delivered,
            _ if rejected == items.states.len() => Outcome::Reject { reason },
            _ => Outcome::Partial { rejected, reason },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: items settled over several attempts, twice, and one that does not exist.
    /// Guarantee: the first word counts; the outcome comes with the last item and has the first reason.
    #[test]
    fn items_are_settled_once() {
        let rejected = |reason: &str| Settled::Rejected { reason: reason.to_owned() };
        let progress = Progress::new(3);
        progress.settle(1, rejected("first"));
        progress.settle(1, Settled::Delivered);
        progress.settle(9, Settled::Delivered);
        assert_eq!((progress.open(), progress.outcome()), (vec![0, 2], None));
        assert_eq!([0, 1, 9].map(|item| progress.is_open(item)), [true, false, false]);
        assert_eq!((progress.rejected(), progress.undelivered()), (None, vec![0, 1, 2]));
        let standing = Standing { open: vec![0, 2], delivered: 0, rejected: vec![1], reason: "first".into() };
        assert_eq!(progress.standing(), standing);
        progress.settle(0, Settled::Delivered);
        progress.settle(2, rejected("second"));
        assert_eq!(progress.outcome(), Some(Outcome::Partial { rejected: 2, reason: "first".into() }));
        assert_eq!((progress.rejected(), progress.undelivered()), (Some(vec![1, 2]), vec![1, 2]));
        assert_eq!(Progress::new(0).outcome(), Some(Outcome::Delivered));
        let lost = Progress::new(1);
        lost.settle(0, rejected("no"));
        assert_eq!(lost.outcome(), Some(Outcome::Reject { reason: "no".into() }));
    }
}
