//! Entries that change their file.

use super::{Index, Slot, Span, handing::extend};
use std::collections::VecDeque;

/// An entry that was written a second time.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    pub offset: u64,
    pub appended: u64,
    pub cost: u64,
    /// Start of its record in the new file.
    pub at: u64,
}

impl Index {
    /// Queues that have live entries in a file.
    pub fn queues_in(&self, file: u64) -> Vec<Slot> {
        let inside = |slot: &Slot| self.queues.get(*slot).is_some_and(|q| q.spans.iter().any(|span| span.file == file));
        (0..self.queues.len()).filter(inside).collect()
    }

    /// The spill that a queue's entries of `segment` can be joined with: the one just before, if it is small.
    pub fn joinable_spill(&self, slot: Slot, segment: u64, limit: u64) -> Option<u64> {
        let queue = self.queues.get(slot)?;
        let first = queue.spans.iter().position(|span| span.file == segment)?;
        let before = queue.spans.get(first.checked_sub(1)?)?.file;
        (self.files.get(&before)?.size < limit).then_some(before)
    }

    /// Where a queue's entries of a file begin, and the offsets they lie in.
    pub fn extent(&self, slot: Slot, file: u64) -> Option<(u64, u64, u64)> {
        let mut spans = self.queues.get(slot)?.spans.iter().filter(|span| span.file == file);
        let first = spans.next()?;
        Some((first.at, first.first, spans.next_back().unwrap_or(first).end))
    }

    /// The live entries that a queue had in `from`, files one after the other, are in `to` now. What is not in `moved`
    /// was done in the meantime, or is damaged.
    pub fn moved(&mut self, slot: Slot, from: &[u64], to: u64, moved: &[Moved]) {
        let span_bytes = self.span_bytes;
        let Some(queue) = self.queues.get_mut(slot) else { return };
        let Some(start) = queue.spans.iter().position(|span| from.contains(&span.file)) else { return };
        let old: Vec<Span> = queue.spans.iter().filter(|span| from.contains(&span.file)).cloned().collect();
        let mut lost = Vec::new();
        let (mut new, mut expected) = (VecDeque::new(), old.first().map_or(0, |span| span.first));
        for entry in moved.iter().filter(|entry| !queue.acked.contains(entry.offset)) {
            lost.extend((expected..entry.offset).filter(|offset| !queue.acked.contains(*offset)));
            expected = entry.offset + 1;
            extend(&mut new, span_bytes, to, entry.at, entry.offset, entry.appended, entry.cost);
        }
        let end = old.last().map_or(0, |span| span.end);
        lost.extend((expected..end).filter(|offset| !queue.acked.contains(*offset)));
        for offset in &lost {
            queue.acked.insert(*offset, offset + 1);
            queue.dirty.insert(*offset, offset + 1);
            queue.in_flight.remove(offset);
        }
        self.dirty |= !lost.is_empty();
        queue.counts.lost += lost.len() as u64;
        let mut rest = queue.spans.split_off(start);
        rest.retain(|span| !from.contains(&span.file));
        let sum = |spans: &mut dyn Iterator<Item = &Span>| {
            spans.fold((0, 0), |(live, bytes), span| (live + span.live, bytes + span.bytes))
        };
        let (was, is) = (sum(&mut old.iter()), sum(&mut new.iter()));
        queue.entries = (queue.entries + is.0).saturating_sub(was.0);
        queue.bytes = (queue.bytes + is.1).saturating_sub(was.1);
        let born: Vec<(u64, u64)> = new.iter().map(|span| (span.live, span.bytes)).collect();
        queue.last_file = queue.last_file.max(Some(to));
        queue.spans.append(&mut new);
        queue.spans.append(&mut rest);
        for (live, bytes) in born {
            self.born(to, live, bytes);
        }
        for span in old {
            self.died(span.file, span.live, span.bytes);
        }
        if let Some(file) = self.files.get_mut(&to) {
            file.sealed = true;
            if file.live == 0 {
                self.spill_used = self.spill_used.saturating_sub(file.size);
                self.deaths = true;
            }
        }
        self.counts.spilled_entries += moved.len() as u64;
        self.room.notify_waiters();
    }
}
