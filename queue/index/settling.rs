//! The ends an entry can have.

use super::{Index, Slot};

impl Index {
    /// The entry was taken and is done. It may have been given back since, by a caller who did not wait for the end.
    pub fn settle(&mut self, slot: Slot, offset: u64) {
        self.settle_all(slot, [offset]);
    }

    /// The same for several entries of a queue.
    pub fn settle_all(&mut self, slot: Slot, offsets: impl IntoIterator<Item = u64>) {
        let Some(queue) = self.queues.get_mut(slot) else { return };
        if queue.in_flight.len() >= queue.options.max_in_flight {
            queue.arrivals.notify_waiters();
        }
        for offset in offsets {
            let Some(queue) = self.queues.get_mut(slot) else { return };
            let given_back = |queue: &mut super::QueueState| queue.returned.remove(&offset).map(|item| item.cost);
            let Some(cost) = queue.in_flight.remove(&offset).or_else(|| given_back(queue)) else { continue };
            queue.counts.settled += 1;
            self.finish(slot, offset, cost);
        }
        self.room.notify_waiters();
    }

    /// The entry is damaged on disk.
    pub(super) fn lose(&mut self, slot: Slot, offset: u64) {
        if let Some(queue) = self.queues.get_mut(slot) {
            queue.counts.lost += 1;
        }
        // What it cost is not known; the rest of its span's bytes goes with the last entry of the span.
        self.finish(slot, offset, 0);
        self.room.notify_waiters();
    }

    /// The offset was assigned and the append failed. The offset is not used again, because a piece of the append may
    /// be on disk.
    pub fn burn(&mut self, slot: Slot, offset: u64, cost: u64) {
        self.release(slot, cost);
        if let Some(queue) = self.queues.get_mut(slot) {
            queue.acked.insert(offset, offset + 1);
        }
        self.dirty = true;
        self.room.notify_waiters();
    }

    /// Drops what nobody has taken of `start..end`, which lies in one span. Returns the bytes.
    pub(super) fn drop_range(&mut self, slot: Slot, start: u64, end: u64) -> u64 {
        let Some(queue) = self.queues.get_mut(slot) else { return 0 };
        let at = queue.span_from(start);
        let Some(span) = queue.spans.get(at) else { return 0 };
        let kept: Vec<(u64, u64)> = queue.in_flight.range(start..end).map(|(offset, cost)| (*offset, *cost)).collect();
        let (kept_entries, kept_bytes) = (kept.len() as u64, kept.iter().map(|(_, cost)| cost).sum::<u64>());
        let (entries, bytes) = (span.live.saturating_sub(kept_entries), span.bytes.saturating_sub(kept_bytes));
        let mut from = start;
        for stop in kept.iter().map(|(offset, _)| *offset).chain([end]) {
            queue.acked.insert(from, stop);
            queue.dirty.insert(from, stop);
            from = stop + 1;
        }
        queue.forget_items(start, end, &mut self.hot_bytes);
        queue.read_next = queue.read_next.max(end);
        queue.counts.dropped += entries;
        queue.counts.dropped_bytes += bytes;
        self.shrink(slot, at, entries, bytes);
        self.room.notify_waiters();
        bytes
    }

    fn finish(&mut self, slot: Slot, offset: u64, cost: u64) {
        let Some(queue) = self.queues.get_mut(slot) else { return };
        if queue.acked.contains(offset) {
            return;
        }
        queue.acked.insert(offset, offset + 1);
        queue.dirty.insert(offset, offset + 1);
        let at = queue.span_from(offset);
        self.shrink(slot, at, 1, cost);
    }

    /// Takes finished entries off a span, and the span away when it has none left.
    fn shrink(&mut self, slot: Slot, at: usize, entries: u64, bytes: u64) {
        self.dirty = true;
        let Some(queue) = self.queues.get_mut(slot) else { return };
        let Some(span) = queue.spans.get_mut(at) else { return };
        span.live = span.live.saturating_sub(entries);
        let empty = span.live == 0;
        let bytes = if empty { span.bytes } else { bytes.min(span.bytes) };
        span.bytes -= bytes;
        let file = span.file;
        if empty {
            queue.spans.remove(at);
        }
        queue.entries = queue.entries.saturating_sub(entries);
        queue.bytes = queue.bytes.saturating_sub(bytes);
        self.died(file, entries, bytes);
    }
}

impl super::QueueState {
    /// Lets go of what memory holds of `start..end`.
    fn forget_items(&mut self, start: u64, end: u64, hot_total: &mut usize) {
        let inside = |offset: u64| (start..end).contains(&offset);
        self.returned.retain(|offset, _| !inside(*offset));
        while self.ready.front().is_some_and(|item| inside(item.offset)) {
            let Some(item) = self.ready.pop_front() else { break };
            self.ready_bytes -= item.payload.len();
        }
        while self.hot.front().is_some_and(|item| inside(item.offset)) {
            let Some(item) = self.hot.pop_front() else { break };
            self.hot_bytes -= item.payload.len();
            *hot_total -= item.payload.len();
        }
    }
}
