//! Entries on their way to senders: published by the writer, taken, given back.

use super::{Index, Item, Slot, Span};
use std::collections::VecDeque;

/// How much to take at once; 0 is no limit. At least one entry is taken when there is one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    pub entries: usize,
    pub bytes: usize,
}

/// What came of asking.
#[derive(Debug, Default)]
pub struct Takeout {
    pub items: Vec<Item>,
    /// What comes next is on disk; somebody has to read it.
    pub must_read: bool,
}

/// Whether there is something to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeable {
    Now,
    /// After a read.
    OnDisk,
    Nothing,
}

impl Index {
    /// Hands out the next offset of a queue.
    pub fn assign(&mut self, slot: Slot) -> u64 {
        self.sequence += 1;
        self.queues.get_mut(slot).map_or(0, |queue| {
            queue.next += 1;
            queue.next - 1
        })
    }

    /// An entry is on disk, in the record at `at` of `file`.
    pub fn publish(&mut self, slot: Slot, file: u64, at: u64, item: Item) {
        self.release(slot, item.cost);
        self.locate(slot, file, at, item.offset, item.appended, item.cost);
        let (limit, size) = (self.hot_limit, item.payload.len());
        let Some(queue) = self.queues.get_mut(slot) else { return };
        queue.counts.appended += 1;
        queue.hot.push_back(item);
        queue.hot_bytes += size;
        queue.arrivals.notify_waiters();
        self.hot_bytes += size;
        while self.hot_bytes > limit {
            self.cool();
        }
    }

    /// Puts a live entry behind all others of its queue.
    pub(crate) fn locate(&mut self, slot: Slot, file: u64, at: u64, offset: u64, since: u64, cost: u64) {
        let span_bytes = self.span_bytes;
        let Some(queue) = self.queues.get_mut(slot) else { return };
        queue.entries += 1;
        queue.bytes += cost;
        queue.last_file = queue.last_file.max(Some(file));
        extend(&mut queue.spans, span_bytes, file, at, offset, since, cost);
        self.born(file, 1, cost);
    }

    /// Lets go of the oldest hot entry of the queue that has most.
    fn cool(&mut self) {
        let Some(queue) = self.queues.iter_mut().max_by_key(|queue| queue.hot_bytes) else { return };
        let Some(item) = queue.hot.pop_front() else { return };
        queue.hot_bytes -= item.payload.len();
        queue.hot_from = item.offset + 1;
        self.hot_bytes -= item.payload.len();
    }

    /// Takes the oldest entries of a queue.
    pub fn take(&mut self, slot: Slot, limits: Limits) -> Takeout {
        let mut out = Takeout::default();
        let mut bytes = 0;
        while limits.entries == 0 || out.items.len() < limits.entries {
            self.forget_done(slot);
            let Some(queue) = self.queues.get_mut(slot) else { break };
            if queue.in_flight.len() >= queue.options.max_in_flight {
                break;
            }
            let hot = queue.read_next >= queue.hot_from;
            let first = queue.returned.values().next().or(queue.ready.front());
            let Some(next) = first.or(if hot { queue.hot.front() } else { None }) else {
                out.must_read = !hot;
                break;
            };
            let size = next.payload.len();
            if limits.bytes != 0 && !out.items.is_empty() && bytes + size > limits.bytes {
                break;
            }
            bytes += size;
            let Some(item) = self.pop(slot) else { break };
            if let Some(queue) = self.queues.get_mut(slot) {
                queue.in_flight.insert(item.offset, item.cost);
            }
            out.items.push(item);
        }
        out
    }

    /// Skips what was found damaged on disk after it had come into memory; it is counted already.
    fn forget_done(&mut self, slot: Slot) {
        let Some(queue) = self.queues.get_mut(slot) else { return };
        let (acked, done) = (&queue.acked, |item: Option<&Item>, acked: &crate::acked::Acked| {
            item.is_some_and(|item| acked.contains(item.offset))
        });
        while done(queue.returned.values().next(), acked) {
            queue.returned.pop_first();
        }
        while done(queue.ready.front(), acked) {
            queue.ready_bytes -= queue.ready.pop_front().map_or(0, |item| item.payload.len());
        }
        while done(queue.hot.front(), acked) {
            let size = queue.hot.pop_front().map_or(0, |item| item.payload.len());
            queue.hot_bytes -= size;
            self.hot_bytes -= size;
        }
    }

    /// Takes away what [`Index::take`] has seen.
    fn pop(&mut self, slot: Slot) -> Option<Item> {
        let queue = self.queues.get_mut(slot)?;
        if let Some((_, item)) = queue.returned.pop_first() {
            return Some(item);
        }
        if let Some(item) = queue.ready.pop_front() {
            queue.ready_bytes -= item.payload.len();
            return Some(item);
        }
        let item = queue.hot.pop_front()?;
        queue.hot_bytes -= item.payload.len();
        queue.hot_from = item.offset + 1;
        queue.read_next = item.offset + 1;
        self.hot_bytes -= item.payload.len();
        Some(item)
    }

    /// What [`Index::take`] would find.
    pub fn takeable(&self, slot: Slot) -> Takeable {
        let Some(queue) = self.queues.get(slot) else { return Takeable::Nothing };
        if queue.in_flight.len() >= queue.options.max_in_flight {
            return Takeable::Nothing;
        }
        let hot = queue.read_next >= queue.hot_from;
        if !queue.returned.is_empty() || !queue.ready.is_empty() || (hot && !queue.hot.is_empty()) {
            return Takeable::Now;
        }
        if hot { Takeable::Nothing } else { Takeable::OnDisk }
    }

    /// An entry that was taken was not delivered; it is the next to be taken again.
    pub fn give_back(&mut self, slot: Slot, item: Item) {
        let Some(queue) = self.queues.get_mut(slot) else { return };
        if queue.in_flight.remove(&item.offset).is_some() {
            queue.returned.insert(item.offset, item);
            queue.arrivals.notify_waiters();
        }
    }
}

/// Adds an entry to the last span, or begins a new one.
pub(super) fn extend(
    spans: &mut VecDeque<Span>,
    span_bytes: u64,
    file: u64,
    at: u64,
    offset: u64,
    since: u64,
    cost: u64,
) {
    match spans.back_mut() {
        Some(span) if span.file == file && span.size < span_bytes => {
            span.end = offset + 1;
            span.live += 1;
            span.bytes += cost;
            span.size += cost;
        }
        _ => {
            spans.push_back(Span { file, at, first: offset, end: offset + 1, live: 1, bytes: cost, size: cost, since })
        }
    }
}
