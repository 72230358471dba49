//! What waits, in its order: first what an earlier sender gave back, then what was never sent.

use crate::{
    delivery::{budget::Reserved, ledger::DestinationAccount, settling::Settling},
    event::OtlpRequest,
};
use lanner_queue::Entry;
use smallvec::SmallVec;
use std::{collections::VecDeque, sync::Arc};
use tokio::time::Instant;

/// What waits.
#[derive(Default)]
pub(super) struct Waiting {
    /// What an earlier sender gave back; these go first.
    pub returned: VecDeque<Returned>,
    pub items: VecDeque<Item>,
    pub bytes: usize,
    pub records: usize,
    /// The sender sleeps until this many bytes or records wait.
    pub wanted: Wanted,
}

/// What the sender waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::delivery) struct Wanted {
    pub bytes: usize,
    pub records: usize,
}

/// A request in the queue, and what it holds.
pub(in crate::delivery) struct Item {
    pub request: OtlpRequest,
    pub account: Arc<DestinationAccount>,
    pub units: usize,
    pub arrived: Instant,
    pub memory: Option<Reserved>,
    pub entry: Option<Entry>,
}

/// What was taken and given back.
pub(in crate::delivery) struct Returned {
    pub request: OtlpRequest,
    pub parts: Parts,
    pub units: usize,
    pub arrived: Instant,
    pub settling: Settling,
    pub memory: Vec<Reserved>,
}

/// Whose items a request holds, in their order.
pub(in crate::delivery) type Parts = SmallVec<[(Arc<DestinationAccount>, usize); 2]>;

impl Waiting {
    /// Takes the oldest.
    pub fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.bytes -= item.request.bytes.len();
        self.records -= item.request.items;
        Some(item)
    }

    /// Whether something waits that no sender has had.
    pub fn has_untouched(&self) -> bool {
        !self.items.is_empty()
    }

    pub fn is_empty(&self) -> bool {
        self.returned.is_empty() && self.items.is_empty()
    }

    pub fn units(&self) -> usize {
        let returned: usize = self.returned.iter().map(|returned| returned.units).sum();
        returned + self.items.iter().map(|item| item.units).sum::<usize>()
    }

    /// Puts something back in the order in which it came.
    pub fn put_back(&mut self, returned: Returned) {
        self.bytes += returned.request.bytes.len();
        self.records += returned.request.items;
        let place = self.returned.partition_point(|other| other.arrived <= returned.arrived);
        self.returned.insert(place, returned);
    }

    pub fn has(&self, wanted: Wanted) -> bool {
        !self.is_empty() && (self.bytes >= wanted.bytes || self.records >= wanted.records)
    }
}
