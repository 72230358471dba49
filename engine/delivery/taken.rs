//! What a sender has taken out of a queue.

use super::{
    budget::Reserved,
    durable::Settling,
    ledger::{DestinationAccount, reason},
    queue::{Item, SendingQueue},
};
use crate::event::{OtlpRequest, otlp};
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// Requests taken out to be sent together. Settle it: what is dropped unsettled stays in the log, or counts as rejected
/// where there is none.
pub struct Taken {
    queue: Arc<SendingQueue>,
    pub request: OtlpRequest,
    /// Whose items these are, in the order of the request.
    pub parts: SmallVec<[(Arc<DestinationAccount>, usize); 2]>,
    units: usize,
    settled: bool,
    settling: Settling,
    /// Given back with the rest when this is dropped.
    memory: Vec<Reserved>,
}

impl Taken {
    pub(super) fn merge(
        queue: &Arc<SendingQueue>,
        items: SmallVec<[Item; 8]>,
        bytes: usize,
        records: usize,
    ) -> Option<Self> {
        let mut parts: SmallVec<[(Arc<DestinationAccount>, usize); 2]> = SmallVec::new();
        let mut memory = Vec::with_capacity(items.len());
        let mut entries = Vec::new();
        let mut units = 0;
        // A single request is handed on as it is; several become one by concatenation, as protobuf allows.
        let mut merged = if items.len() > 1 { Vec::with_capacity(bytes) } else { Vec::new() };
        let mut single = None;
        let many = items.len() > 1;
        for item in items {
            units += item.units;
            memory.extend(item.memory);
            entries.extend(item.entry);
            match parts.last_mut() {
                Some((account, count)) if Arc::ptr_eq(account, &item.account) => *count += item.request.items,
                _ => parts.push((item.account, item.request.items)),
            }
            if many {
                merged.extend_from_slice(&item.request.bytes);
            } else {
                single = Some(item.request.bytes);
            }
        }
        if parts.is_empty() {
            return None;
        }
        let bytes = single.unwrap_or_else(|| merged.into());
        let request = OtlpRequest { signal: queue.signal(), bytes, items: records };
        let settling = Settling::new(entries);
        Some(Self { queue: Arc::clone(queue), request, parts, units, settled: false, settling, memory })
    }

    /// Parts of at most so many items and bytes (0 is no limit), so that `batch.max_size` holds. One item that is
    /// larger than the limit stays whole.
    pub(super) fn split(mut self, max_items: usize, max_bytes: usize) -> SmallVec<[Self; 1]> {
        let over = |limit: usize, size: usize| limit != 0 && size > limit;
        if !over(max_items, self.request.items) && !over(max_bytes, self.request.bytes.len()) {
            return smallvec![self];
        }
        let Ok(requests) = otlp::split(&self.request, max_items, max_bytes) else {
            // Not splittable means not OTLP inside; the sink will say so.
            return smallvec![self];
        };
        self.settled = true;
        let mut owners = std::mem::take(&mut self.parts).into_iter();
        let mut current = owners.next();
        let mut taken = SmallVec::new();
        for request in requests {
            let mut parts = SmallVec::new();
            let mut missing = request.items;
            while missing > 0 {
                let Some((account, items)) = current.take() else { break };
                let some = items.min(missing);
                missing -= some;
                parts.push((Arc::clone(&account), some));
                current = if items > some { Some((account, items - some)) } else { owners.next() };
            }
            // The room of all goes with the first part: it is given back a little early, but exactly once.
            let units = std::mem::take(&mut self.units);
            let memory = std::mem::take(&mut self.memory);
            let (queue, settling) = (Arc::clone(&self.queue), self.settling.clone());
            taken.push(Self { queue, request, parts, units, settled: false, settling, memory });
        }
        taken
    }

    /// Whether it is in a log and may stay there.
    pub(super) fn is_durable(&self) -> bool {
        self.settling.is_durable()
    }

    /// The sink has all items but `rejected`, which it will never take.
    pub fn delivered(mut self, rejected: usize, reason: &'static str) {
        self.settled = true;
        let mut left = rejected.min(self.request.items);
        for (account, items) in &self.parts {
            let lost = left.min(*items);
            left -= lost;
            account.delivered.add((items - lost) as u64);
            account.reject(reason, lost as u64);
        }
    }

    /// The sink will never have these items.
    pub fn rejected(mut self, reason: &'static str) {
        self.settled = true;
        for (account, items) in &self.parts {
            account.reject(reason, *items as u64);
        }
    }
}

impl Drop for Taken {
    /// Gives the room back. Runs after the items were counted, so that the ledger never shows them nowhere.
    fn drop(&mut self) {
        if !self.settled && self.settling.is_durable() {
            // It stays in the log, and so in the books as queued.
            self.settling.keep();
            return;
        }
        for (account, items) in &self.parts {
            if !self.settled {
                account.reject(reason::ABANDONED, *items as u64);
            }
            account.queued.add(-(*items as i64));
        }
        self.queue.give_back(self.units);
    }
}
