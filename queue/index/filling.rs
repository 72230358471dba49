//! Entries on their way back from the disk.
//!
//! Promise: after a fill, everything live below [`QueueState::read_next`](super::QueueState) is in memory or in flight;
//! what should have been in the part that was read and was not is counted as lost, once.

use super::{Index, Item, Slot};
use std::sync::Arc;

/// What to read.
#[derive(Clone, Debug)]
pub struct FillPlan {
    pub queue: Arc<str>,
    pub file: u64,
    /// Where to begin in the file.
    pub at: u64,
    /// Where the file ends for readers.
    pub file_end: u64,
    /// Offsets wanted, half open; the file has all that are live.
    pub from: u64,
    pub stop: u64,
    /// Enough bytes.
    pub bytes: usize,
}

impl Index {
    /// What to read next for a queue; `None` when nothing is needed.
    pub fn plan_fill(&mut self, slot: Slot) -> Option<FillPlan> {
        let read_ahead = self.read_ahead.max(1);
        let queue = self.queues.get_mut(slot)?;
        if queue.ready_bytes >= read_ahead || queue.read_next >= queue.hot_from {
            return None;
        }
        let index = queue.span_from(queue.read_next);
        let Some(span) = queue.spans.get(index).filter(|span| span.first < queue.hot_from) else {
            // Everything up to what is hot is done or in flight.
            queue.read_next = queue.hot_from;
            queue.arrivals.notify_waiters();
            return None;
        };
        let (file, mut stop) = (span.file, span.end);
        for next in queue.spans.range(index..).take_while(|next| next.file == file) {
            stop = next.end;
        }
        let at = match queue.read_hint {
            Some((of, at, offset)) if of == file && offset == queue.read_next => at,
            _ => span.at,
        };
        let file_end = self.files.get(&file)?.end;
        let (from, stop) = (queue.read_next, stop.min(queue.hot_from));
        Some(FillPlan { queue: Arc::clone(&queue.name), file, at, file_end, from, stop, bytes: read_ahead })
    }

    /// Everything from `plan.from` up to `reached` was looked at, and `items` is what was there. The next offset is
    /// found from `at` on.
    pub fn filled(&mut self, slot: Slot, plan: &FillPlan, items: Vec<Item>, reached: u64, at: u64) {
        let Some(queue) = self.queues.get_mut(slot) else { return };
        let from = plan.from.max(queue.read_next);
        if reached <= from {
            return;
        }
        let mut missing = Vec::new();
        let mut expected = from;
        for item in items {
            if item.offset < expected || queue.acked.contains(item.offset) {
                continue;
            }
            missing.extend((expected..item.offset).filter(|offset| !queue.acked.contains(*offset)));
            expected = item.offset + 1;
            queue.ready_bytes += item.payload.len();
            queue.ready.push_back(item);
        }
        missing.extend((expected..reached).filter(|offset| !queue.acked.contains(*offset)));
        queue.read_next = reached;
        queue.read_hint = Some((plan.file, at, reached));
        queue.arrivals.notify_waiters();
        for offset in missing {
            self.lose(slot, offset);
        }
    }
}
