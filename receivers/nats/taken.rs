//! `Taken`: the messages that the pipelines took lately, so that one whose acknowledgement got lost is not taken twice.
//!
//! Promises: a message is known by its number in the stream and the time at which the stream stored it, so a stream that was made anew
//! is another one; the newest [`MOST`] are known, as long as this process lives.

use super::message::Fetched;
use std::collections::{HashSet, VecDeque};

/// Messages that are known: more than the server has under way at once (1000 unless set).
const MOST: usize = 16_384;

type Place = (u64, u64);

/// The window.
#[derive(Debug, Default)]
pub struct Taken {
    known: HashSet<Place>,
    /// Oldest first.
    order: VecDeque<Place>,
}

impl Taken {
    /// Whether the pipelines have it.
    pub fn has(&self, message: &Fetched) -> bool {
        self.known.contains(&place(message))
    }

    /// The pipelines have it.
    pub fn add(&mut self, message: &Fetched) {
        let place = place(message);
        if self.known.insert(place) {
            self.order.push_back(place);
        }
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

fn place(message: &Fetched) -> Place {
    (message.sequence, message.stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sequence: u64, stored: u64) -> Fetched {
        let (subject, reply) = Default::default();
        Fetched { subject, payload: Default::default(), reply, sequence, stored, delivered: 1 }
    }

    /// Scenario: messages, one of the same number in a stream that was made anew, and many more.
    /// Guarantee: only the message itself is known, until so many others came; memory is bounded.
    #[test]
    fn the_newest_are_known() {
        let mut taken = Taken::default();
        taken.add(&message(1, 7));
        taken.add(&message(1, 7));
        assert!(taken.has(&message(1, 7)) && !taken.has(&message(1, 8)) && !taken.has(&message(2, 7)));
        (2..=MOST as u64).for_each(|number| taken.add(&message(number, 7)));
        assert!(taken.has(&message(1, 7)));
        taken.add(&message(MOST as u64 + 1, 7));
        assert!(!taken.has(&message(1, 7)) && taken.has(&message(2, 7)));
        assert_eq!((taken.known.len(), taken.order.len()), (MOST, MOST));
    }
}
