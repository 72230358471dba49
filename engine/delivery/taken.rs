//! What a sender has taken out of a queue, on its way to the sink.
//!
//! Promise: every item is counted once, as delivered or as rejected, and only then is no longer queued. What is dropped
//! unsettled stays in the log, or counts as rejected where there is none.

mod parts;

use super::{
    ledger::{DestinationAccount, reason},
    letters,
    queue::{Item, Parts, Returned, SendingQueue},
    settling::{Refusal, Settling},
};
use crate::{
    component::Standing,
    event::{OtlpRequest, otlp},
};
use smallvec::SmallVec;
use std::{ops::Range, sync::Arc};
use tokio::time::Instant;

/// Requests taken out to be sent together, or a part of them.
pub struct Taken {
    queue: Arc<SendingQueue>,
    pub request: OtlpRequest,
    /// Whose items these are, in the order of the request; empty once they are settled.
    parts: Parts,
    units: usize,
    /// When the oldest of them came.
    arrived: Instant,
    settling: Settling,
    /// Bytes of the memory budget, given back with the rest when this is dropped.
    memory: usize,
}

/// Which items of a request the sink will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Nothing,
    All,
    /// By their number from 0, in order.
    These(Vec<usize>),
    /// So many, and nobody knows which.
    Some(usize),
}

impl Refused {
    /// How many of so many items.
    pub fn count(&self, items: usize) -> usize {
        match self {
            Self::Nothing => 0,
            Self::All => items,
            Self::These(these) => these.len().min(items),
            Self::Some(count) => (*count).min(items),
        }
    }

    fn has(&self, item: usize) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.binary_search(&item).is_ok(),
            Self::Nothing | Self::Some(_) => false,
        }
    }
}

impl Taken {
    pub(super) fn merge(
        queue: &Arc<SendingQueue>,
        items: SmallVec<[Item; 2]>,
        bytes: usize,
        records: usize,
    ) -> Option<Self> {
        let arrived = items.first()?.arrived;
        let mut parts = Parts::new();
        let mut entries = Vec::new();
        let (mut units, mut memory) = (0, 0);
        // A single request is handed on as it is; several become one by concatenation, as protobuf allows.
        let mut merged = if items.len() > 1 { Vec::with_capacity(bytes) } else { Vec::new() };
        let mut single = None;
        let many = items.len() > 1;
        for mut item in items {
            units += item.units;
            memory += item.memory;
            entries.extend(item.entry.take());
            for (account, count) in std::mem::take(&mut item.parts) {
                match parts.last_mut() {
                    Some((last, sum)) if Arc::ptr_eq(last, &account) => *sum += count,
                    _ => parts.push((account, count)),
                }
            }
            if many {
                merged.extend_from_slice(item.bytes());
            } else {
                single = Some(item.into_request().bytes);
            }
        }
        let bytes = single.unwrap_or_else(|| merged.into());
        let request = OtlpRequest { signal: queue.signal(), bytes, items: records };
        let settling = Settling::new(entries);
        Some(Self { queue: Arc::clone(queue), request, parts, units, arrived, settling, memory })
    }

    /// What an earlier sender has put back.
    pub(super) fn again(queue: &Arc<SendingQueue>, returned: Returned) -> Self {
        let Returned { request, parts, units, arrived, settling, memory } = returned;
        Self { queue: Arc::clone(queue), request, parts, units, arrived, settling, memory }
    }

    /// Puts it back to the front of its queue, for the next sender.
    pub(super) fn put_back(mut self) {
        let returned = Returned {
            request: self.request.clone(),
            parts: std::mem::take(&mut self.parts),
            units: std::mem::take(&mut self.units),
            arrived: self.arrived,
            settling: std::mem::take(&mut self.settling),
            memory: std::mem::take(&mut self.memory),
        };
        self.queue.put_back(returned);
    }

    /// Settles the items that an exporter has told apart, and gives back those that are still open, if there are any. Says
    /// whether it could: what cannot be taken apart comes back whole, with nothing settled.
    pub(super) fn settle_told_apart(mut self, standing: &Standing) -> (bool, Option<Self>) {
        let open = |item: usize| standing.open.binary_search(&item).is_ok();
        let (settled, left) = match standing.open.len() {
            0 => (self, None),
            count if count == self.request.items => return (true, Some(self)),
            _ => match self.take_out(|item| !open(item)) {
                Some(settled) => (settled, Some(self)),
                None => return (false, Some(self)),
            },
        };
        // Their numbers among the settled ones: without the open ones in front of them.
        let place = |item: &usize| item - standing.open.partition_point(|open| open < item);
        let refused = Refused::These(standing.rejected.iter().map(place).collect());
        settled.settle(&refused, reason::PARTIAL, &standing.reason);
        (true, left)
    }

    /// The queue it came from.
    pub(super) fn queue(&self) -> &Arc<SendingQueue> {
        &self.queue
    }

    /// Its entries in the log, for whoever ends the request.
    pub(super) fn settling(&self) -> Settling {
        self.settling.clone()
    }

    /// Whether it is in a log and may stay there.
    pub(super) fn is_durable(&self) -> bool {
        self.settling.is_durable()
    }

    /// The sink has all items but `refused`, which it will never take for this reason. Of what is in a log, refused items
    /// are settled with the [`Settling`].
    pub(super) fn settle(mut self, refused: &Refused, reason: &'static str, detail: &str) {
        let parts = std::mem::take(&mut self.parts);
        let only = parts.len() == 1;
        let (mut start, mut unknown) = (0, refused.count(self.request.items));
        for (account, items) in parts {
            let range = start..start + items;
            start = range.end;
            let lost = match refused {
                Refused::Nothing => 0,
                Refused::All => items,
                Refused::These(these) => these.iter().filter(|item| range.contains(item)).count(),
                Refused::Some(_) => unknown.min(items),
            };
            unknown = unknown.saturating_sub(lost);
            account.delivered.add((items - lost) as u64);
            if !self.is_durable() {
                account.reject(reason, lost as u64);
                account.queued.add(-(items as i64));
                continue;
            }
            account.queued.add(-((items - lost) as i64));
            if lost > 0 {
                let whole = only && lost == items;
                self.refuse(account, refused, range, lost, whole, (reason, detail));
            }
        }
    }

    /// Leaves dead letters for the refused items of one pipeline.
    fn refuse(
        &self,
        account: Arc<DestinationAccount>,
        refused: &Refused,
        range: Range<usize>,
        lost: usize,
        whole: bool,
        (reason, detail): (&'static str, &str),
    ) {
        let without = |account, items| Refusal { account, items, reason, letter: None };
        let Some((disk, letters)) = self.queue.dead_letters() else {
            return self.settling.refuse(without(account, lost));
        };
        let picked = match refused {
            _ if whole => Some(self.request.clone()),
            Refused::Some(_) | Refused::Nothing => None,
            // Not readable is not OTLP inside, so nobody knows which records these are.
            _ => otlp::pick(&self.request, |item| range.contains(&item) && refused.has(item)).ok(),
        };
        let Some(picked) = picked else {
            letters.unkept(letters::Unkept::Unknown, lost);
            return self.settling.refuse(without(account, lost));
        };
        // The items of all pieces are those of the request, unless a metric was refused in part.
        let mut left = lost;
        let pieces = letters::pieces(picked);
        let last = pieces.len() - 1;
        for (number, piece) in pieces.into_iter().enumerate() {
            let items = if number == last { left } else { piece.items.min(left) };
            left -= items;
            let letter = Some(disk.entry(account.pipeline(), Some((reason, detail)), &piece));
            self.settling.refuse(Refusal { account: Arc::clone(&account), items, reason, letter });
        }
    }
}

impl Drop for Taken {
    /// Gives the room back. Runs after the items were counted, so that the ledger never shows them nowhere.
    fn drop(&mut self) {
        if !self.parts.is_empty() && self.settling.is_durable() {
            // It stays in the log, and so in the books as queued.
            self.settling.keep();
            return;
        }
        for (account, items) in &self.parts {
            account.reject(reason::ABANDONED, *items as u64);
            account.queued.add(-(*items as i64));
        }
        self.queue.give_back(self.units, self.memory);
    }
}
