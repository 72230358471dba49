//! What waits, in its order: first what an earlier sender gave back, then what was never sent; and how much room is left.

use super::{Item, Settings};
use crate::{
    delivery::{ledger::DestinationAccount, settling::Settling},
    event::OtlpRequest,
};
use smallvec::SmallVec;
use std::{collections::VecDeque, sync::Arc};
use tokio::time::Instant;

/// What waits, and the room it takes.
pub(super) struct Waiting {
    pub settings: Settings,
    /// Units in use, by what is in flight and by what is only reserved too.
    pub used: usize,
    /// How often some came back; wraps around.
    pub given_back: usize,
    /// What an earlier sender gave back; these go first.
    pub returned: VecDeque<Returned>,
    pub items: VecDeque<Item>,
    pub bytes: usize,
    pub records: usize,
    /// The sender sleeps until this many bytes or records wait.
    pub wanted: Wanted,
    /// What the sender takes for one request, once it has taken one.
    pub together: Option<Together>,
    /// The size of the item that was taken last: the next one may come to the same.
    pub taken: usize,
}

/// What the sender waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::delivery) struct Wanted {
    pub bytes: usize,
    pub records: usize,
}

/// How much is taken for one request; 0 is no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::delivery) struct Together {
    pub max_bytes: usize,
    pub max_records: usize,
    /// A request of so many bytes is not sent together with others.
    pub alone_bytes: usize,
}

impl Together {
    /// Whether requests of so many bytes and records take one of these along.
    pub fn has_room(&self, bytes: usize, records: usize, next_bytes: usize, next_records: usize) -> bool {
        let within = |limit: usize, size: usize| limit == 0 || size <= limit;
        let is_small = |bytes: usize| self.alone_bytes == 0 || bytes < self.alone_bytes;
        within(self.max_bytes, bytes + next_bytes)
            && within(self.max_records, records + next_records)
            && (is_small(next_bytes) && is_small(bytes))
    }
}

/// What was taken and given back.
pub(in crate::delivery) struct Returned {
    pub request: OtlpRequest,
    pub parts: Parts,
    pub units: usize,
    pub arrived: Instant,
    pub settling: Settling,
    pub memory: usize,
}

/// Whose items a request holds, in their order.
pub(in crate::delivery) type Parts = SmallVec<[(Arc<DestinationAccount>, usize); 2]>;

impl Waiting {
    /// Nothing, in a queue with these settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            used: 0,
            given_back: 0,
            returned: VecDeque::new(),
            items: VecDeque::new(),
            bytes: 0,
            records: 0,
            wanted: Wanted::default(),
            together: None,
            taken: 0,
        }
    }

    /// Takes the units of a request, when there is room for them.
    pub fn reserve(&mut self, request: &OtlpRequest) -> Option<usize> {
        let units = self.settings.units_of(request);
        self.used = self.used.checked_add(units).filter(|sum| *sum <= self.settings.capacity)?;
        Some(units)
    }

    /// Adds a request at the end, joined to the last item where they would be sent together. Says whether that is what the
    /// sender waits for.
    pub fn push(
        &mut self,
        request: OtlpRequest,
        account: &Arc<DestinationAccount>,
        units: usize,
        memory: usize,
    ) -> bool {
        let had = self.has(self.wanted);
        self.bytes += request.bytes.len();
        self.records += request.items;
        let last = self.items.back_mut().zip(self.together).filter(|(last, together)| last.takes(&request, *together));
        match last {
            Some((last, _)) => last.join(&request, account, units, memory, self.taken),
            None => self.items.push_back(Item::new(request, Arc::clone(account), units, memory)),
        }
        !had && self.has(self.wanted)
    }

    /// Adds an item of a log at the end.
    pub fn push_stored(&mut self, item: Item) {
        self.bytes += item.size();
        self.records += item.records();
        self.items.push_back(item);
    }

    /// Takes the oldest.
    pub fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.taken = item.size();
        self.bytes -= self.taken;
        self.records -= item.records();
        Some(item)
    }

    /// Whether something waits that no sender has had.
    pub fn has_untouched(&self) -> bool {
        !self.items.is_empty()
    }

    pub fn is_empty(&self) -> bool {
        self.returned.is_empty() && self.items.is_empty()
    }

    /// Bytes of the memory budget that it holds.
    pub fn memory(&self) -> usize {
        let returned: usize = self.returned.iter().map(|returned| returned.memory).sum();
        returned + self.items.iter().map(|item| item.memory).sum::<usize>()
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
