//! Which offsets of a queue are done: all below a watermark, and ranges beyond it.
//!
//! Promises: what was inserted is contained for ever; ranges are disjoint, do not touch, and lie beyond the watermark.
//! There are at most as many ranges as there are entries in flight, plus one, because only those leave gaps.

use std::collections::BTreeMap;

/// A set of offsets that grows mostly from below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acked {
    below: u64,
    /// Start to end, half open.
    beyond: BTreeMap<u64, u64>,
}

impl Acked {
    /// All offsets below `below`.
    pub fn starting_at(below: u64) -> Self {
        Self { below, beyond: BTreeMap::new() }
    }

    /// The lowest offset that is not done.
    pub fn below(&self) -> u64 {
        self.below
    }

    /// What is done beyond [`Acked::below`], in order, half open.
    pub fn ranges(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.beyond.iter().map(|(start, end)| (*start, *end))
    }

    /// How many ranges there are.
    pub fn gaps(&self) -> usize {
        self.beyond.len()
    }

    /// Whether `offset` is done.
    pub fn contains(&self, offset: u64) -> bool {
        offset < self.below || self.beyond.range(..=offset).next_back().is_some_and(|(_, end)| offset < *end)
    }

    /// Adds `start..end`.
    pub fn insert(&mut self, start: u64, end: u64) {
        let (mut start, mut end) = (start.max(self.below), end);
        if start >= end {
            return;
        }
        // Whatever overlaps or touches becomes one range.
        while let Some((first, last)) = self.beyond.range(..=end).next_back().map(|(a, b)| (*a, *b)) {
            if last < start {
                break;
            }
            self.beyond.remove(&first);
            (start, end) = (start.min(first), end.max(last));
        }
        if start == self.below {
            self.below = end;
        } else {
            self.beyond.insert(start, end);
        }
    }

    /// Adds all offsets below `below`.
    pub fn raise(&mut self, below: u64) {
        self.insert(self.below, below);
    }

    /// How many offsets of `start..end` are done.
    pub fn count(&self, start: u64, end: u64) -> u64 {
        if start >= end {
            return 0;
        }
        let under = end.min(self.below).saturating_sub(start);
        let first = self.beyond.range(..=start).next_back().map_or(start, |(first, _)| *first);
        let beyond = self.beyond.range(first..end);
        under + beyond.map(|(a, b)| end.min(*b).saturating_sub(start.max(*a))).sum::<u64>()
    }

    /// Whether nothing is done.
    pub fn is_empty(&self) -> bool {
        self.below == 0 && self.beyond.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Acked;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Scenario: ranges are added in any order, overlapping or touching.
        /// Guarantee: the set holds exactly their offsets, in as few ranges as possible.
        #[test]
        fn is_the_union_of_what_was_added(
            below in 0u64..20,
            ranges in prop::collection::vec((0u64..60, 0u64..9), 0..40),
            asked in (0u64..70, 0u64..70),
        ) {
            let (mut acked, mut model) = (Acked::starting_at(below), (0..below).collect::<BTreeSet<u64>>());
            for (start, size) in ranges {
                acked.insert(start, start + size);
                model.extend(start..start + size);
            }
            for offset in 0..80 {
                prop_assert_eq!(acked.contains(offset), model.contains(&offset), "offset {}", offset);
            }
            prop_assert_eq!(acked.count(asked.0, asked.1), (asked.0..asked.1).filter(|o| model.contains(o)).count() as u64);
            prop_assert!(!model.contains(&acked.below()));
            let mut last = acked.below();
            for (start, end) in acked.ranges() {
                prop_assert!(start > last && end > start);
                last = end;
            }
        }
    }
}
