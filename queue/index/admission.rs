//! Who may come in: the budget, decided in memory before anything is written.
//!
//! Promises: what is admitted has room, in every queue that it feeds and in the whole log, so that one append goes into
//! all of its queues or into none; a refused append has cost nothing but what a `drop_oldest` queue gave up for it; an
//! append that can never fit is refused at once instead of being held for ever.

use super::{Index, Slot};
use crate::{
    error::{AppendError, Full, TooLarge},
    options::Policy,
};

impl Index {
    /// Reserves room for an append, given as what it costs in each queue; a queue may be named more than once.
    pub fn admit(&mut self, puts: &[(Slot, u64)]) -> Result<(), AppendError> {
        let total: u64 = puts.iter().map(|(_, cost)| cost).sum();
        let limit = self.max_append.min(self.capacity);
        if total > limit {
            return Err(TooLarge { bytes: total, limit }.into());
        }
        for (slot, _) in puts {
            self.make_share(*slot, puts)?;
        }
        self.make_room(total);
        if self.used() + self.reserved + total > self.capacity {
            return Err(self.full(puts, total).into());
        }
        self.reserved += total;
        for (slot, cost) in puts {
            if let Some(queue) = self.queues.get_mut(*slot) {
                queue.reserved += cost;
            }
        }
        Ok(())
    }

    /// Gives back what was reserved.
    pub fn release(&mut self, slot: Slot, cost: u64) {
        self.reserved = self.reserved.saturating_sub(cost);
        if let Some(queue) = self.queues.get_mut(slot) {
            queue.reserved = queue.reserved.saturating_sub(cost);
        }
    }

    /// What live entries keep from being used otherwise.
    pub fn used(&self) -> u64 {
        self.segment_live + self.spill_used
    }

    fn make_share(&mut self, slot: Slot, puts: &[(Slot, u64)]) -> Result<(), AppendError> {
        let bytes: u64 = puts.iter().filter(|(other, _)| *other == slot).map(|(_, cost)| cost).sum();
        let Some(queue) = self.queues.get(slot) else { return Ok(()) };
        let share = queue.options.max_bytes;
        if share == 0 {
            return Ok(());
        }
        if bytes > share {
            return Err(TooLarge { bytes, limit: share }.into());
        }
        let over = (queue.bytes + queue.reserved + bytes).saturating_sub(share);
        if over > 0 && queue.options.policy == Policy::DropOldest {
            self.drop_oldest(slot, over);
        }
        let fits = self.queues.get(slot).is_none_or(|queue| queue.bytes + queue.reserved + bytes <= share);
        if fits { Ok(()) } else { Err(self.full(&[(slot, bytes)], bytes).into()) }
    }

    /// Drops from the fattest queue that allows it until `bytes` more fit, or nothing can be dropped any more.
    fn make_room(&mut self, bytes: u64) {
        let mut exhausted = vec![];
        loop {
            let over = (self.used() + self.reserved + bytes).saturating_sub(self.capacity);
            if over == 0 {
                return;
            }
            let victim = self
                .queues
                .iter()
                .enumerate()
                .filter(|(slot, queue)| queue.options.policy == Policy::DropOldest && !exhausted.contains(slot))
                .max_by_key(|(_, queue)| queue.bytes)
                .map(|(slot, _)| slot);
            let Some(victim) = victim else { return };
            if self.drop_oldest(victim, over) == 0 {
                exhausted.push(victim);
            }
        }
    }

    /// Drops at least `bytes` of entries that nobody has taken, as long as there are any, in steps of a span.
    /// Returns how many bytes that were.
    fn drop_oldest(&mut self, slot: Slot, bytes: u64) -> u64 {
        let mut freed = 0;
        let mut from = 0;
        while freed < bytes {
            let Some(queue) = self.queues.get(slot) else { break };
            let Some(span) = queue.spans.get(queue.span_from(from)) else { break };
            let (start, end) = (span.first.max(from), span.end);
            let gone = self.drop_range(slot, start, end);
            freed += gone;
            from = end;
        }
        freed
    }

    /// Drops everything of a queue that nobody has taken; returns how many entries.
    pub fn drop_all(&mut self, slot: Slot) -> u64 {
        let dropped = |index: &Self| index.queues.get(slot).map_or(0, |queue| queue.counts.dropped);
        let before = dropped(self);
        self.drop_oldest(slot, u64::MAX);
        dropped(self) - before
    }

    fn full(&mut self, puts: &[(Slot, u64)], bytes: u64) -> Full {
        let holds = puts
            .iter()
            .all(|(slot, _)| self.queues.get(*slot).is_some_and(|queue| queue.options.policy != Policy::Reject));
        let mut name = None;
        for (slot, _) in puts {
            let Some(queue) = self.queues.get_mut(*slot) else { continue };
            if !holds {
                queue.counts.refused += 1;
            }
            name.get_or_insert_with(|| queue.name.clone());
        }
        Full { queue: name.unwrap_or_else(|| "".into()), bytes, holds }
    }
}
