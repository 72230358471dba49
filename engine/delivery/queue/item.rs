//! `Item`: what waits in a queue and leaves it at once.
//!
//! Promises: requests are joined only where they would be sent together anyway, in their order; whose records are whose is
//! kept; what is in a log is never joined, since each entry is settled by itself.
//!
//! Why: a storm of single alerts is as many tiny requests, each in memory that one processor has written and another one
//! would read. Joined where they arrive, they are copied while they are near, and nothing is left to do when they leave.

use super::{Parts, Together};
use crate::{delivery::ledger::DestinationAccount, event::OtlpRequest};
use lanner_queue::Entry;
use smallvec::smallvec;
use std::sync::Arc;
use tokio::time::Instant;

/// A larger request is not joined while the queue is locked, but when it leaves.
const SMALL: usize = 8 << 10;
/// Joined requests grow to this: as much as gathers.
const LARGEST: usize = 256 << 10;

/// A request in the queue, or several as one, and what it holds.
pub(in crate::delivery) struct Item {
    request: OtlpRequest,
    /// Those that were joined; then the request itself has no bytes.
    joined: Vec<u8>,
    pub parts: Parts,
    pub units: usize,
    /// When the first of them came.
    pub arrived: Instant,
    /// Bytes of the memory budget.
    pub memory: usize,
    pub entry: Option<Entry>,
}

impl Item {
    /// A request in memory, which came just now.
    pub fn new(request: OtlpRequest, account: Arc<DestinationAccount>, units: usize, memory: usize) -> Self {
        let parts = smallvec![(account, request.items)];
        Self { request, joined: Vec::new(), parts, units, arrived: Instant::now(), memory, entry: None }
    }

    /// One that is in a log since then.
    pub fn stored(
        request: OtlpRequest,
        account: Arc<DestinationAccount>,
        units: usize,
        arrived: Instant,
        entry: Entry,
    ) -> Self {
        let parts = smallvec![(account, request.items)];
        Self { request, joined: Vec::new(), parts, units, arrived, memory: 0, entry: Some(entry) }
    }

    /// How many records.
    pub fn records(&self) -> usize {
        self.request.items
    }

    /// How many bytes.
    pub fn size(&self) -> usize {
        self.bytes().len()
    }

    /// The request, the joined ones as one: by concatenation, as protobuf allows.
    pub fn bytes(&self) -> &[u8] {
        if self.joined.is_empty() { &self.request.bytes } else { &self.joined }
    }

    /// Whether a request may be joined to it that was going to leave with it, by these rules.
    pub fn takes(&self, request: &OtlpRequest, together: Together) -> bool {
        let (bytes, more) = (self.size(), request.bytes.len());
        let is_small = more <= SMALL && (bytes <= SMALL || !self.joined.is_empty()) && bytes + more <= LARGEST;
        is_small && self.entry.is_none() && together.has_room(bytes, self.records(), more, request.items)
    }

    /// Joins a request to it. `expected`: how many bytes it may come to.
    pub fn join(
        &mut self,
        request: &OtlpRequest,
        account: &Arc<DestinationAccount>,
        units: usize,
        memory: usize,
        expected: usize,
    ) {
        if self.joined.is_empty() {
            self.joined.reserve_exact(expected.min(LARGEST).max(self.size() + request.bytes.len()));
            self.joined.extend_from_slice(&std::mem::take(&mut self.request.bytes));
        }
        self.joined.extend_from_slice(&request.bytes);
        self.request.items += request.items;
        self.units += units;
        self.memory += memory;
        match self.parts.last_mut() {
            Some((last, records)) if Arc::ptr_eq(last, account) => *records += request.items,
            _ => self.parts.push((Arc::clone(account), request.items)),
        }
    }

    /// The same, without whose records these are.
    pub fn into_request(self) -> OtlpRequest {
        match self.joined {
            joined if joined.is_empty() => self.request,
            joined => OtlpRequest { bytes: joined.into(), ..self.request },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Settings, waiting::Waiting},
        *,
    };
    use crate::{config::QueueConfig, delivery::ledger::Ledger, event::Signal, telemetry::Telemetry};
    use proptest::prelude::*;

    proptest! {
        /// Scenario: requests of all sizes, of two pipelines, some before the sender has said what it takes together; taken
        /// in between.
        /// Guarantee: bytes, records, room and accounts leave as they came and in their order; what was joined is what may
        /// be sent together, and no large request is among it.
        #[test]
        fn what_is_joined_leaves_as_it_came(
            requests in prop::collection::vec((0..3 * SMALL / 2, 0..20usize, any::<bool>(), 0..8u8), 0..80),
            limits in prop::option::of((0..LARGEST, 0..100usize, prop_oneof![Just(0), 1..LARGEST])),
            said_after in 0..20usize,
        ) {
            let telemetry = Telemetry::default();
            let ledger = Ledger::default();
            let accounts = ["logs/a", "logs/b"].map(|name| ledger.pipeline(&telemetry, name).destination("sink"));
            let together = limits.map_or(Together::default(), |(max_bytes, max_records, alone_bytes)| {
                Together { max_bytes, max_records, alone_bytes }
            });
            let mut waiting = Waiting::new(Settings::of(&QueueConfig::default()));
            let (mut came, mut left) = (Vec::new(), Vec::new());
            let mut take = |waiting: &mut Waiting, left: &mut Vec<_>| {
                let Some(item) = waiting.pop() else { return };
                let (size, records) = (item.size(), item.records());
                assert_eq!(size, item.bytes().len());
                if item.units > 1 {
                    // The last one may bring it to what leaves alone.
                    assert!(Together { alone_bytes: 0, ..together }.has_room(size, records, 0, 0) && size <= LARGEST);
                    assert!(together.alone_bytes == 0 || size < together.alone_bytes + SMALL);
                    assert!(size < item.units * (SMALL + 1));
                }
                assert_eq!((item.memory, item.parts.iter().map(|(_, records)| records).sum()), (size, records));
                for (account, records) in &item.parts {
                    left.extend(std::iter::repeat_n(account.pipeline().to_owned(), *records));
                }
                let request = item.into_request();
                assert_eq!((request.bytes.len(), request.items), (size, records));
                came.extend_from_slice(&request.bytes);
            };
            let (mut bytes, mut owners) = (Vec::new(), Vec::new());
            for (at, (size, records, other, takes)) in requests.into_iter().enumerate() {
                if at == said_after {
                    waiting.together = Some(together);
                }
                let part = vec![at as u8; size];
                bytes.extend_from_slice(&part);
                let account = &accounts[usize::from(other)];
                owners.extend(std::iter::repeat_n(account.pipeline().to_owned(), records));
                let request = OtlpRequest { signal: Signal::Logs, bytes: part.into(), items: records };
                waiting.push(request, account, 1, size);
                if takes == 0 {
                    take(&mut waiting, &mut left);
                }
            }
            while waiting.has_untouched() {
                take(&mut waiting, &mut left);
            }
            prop_assert_eq!((waiting.bytes, waiting.records), (0, 0));
            prop_assert!(came == bytes && left == owners);
        }
    }

    /// Scenario: a storm of small requests behind one that waits.
    /// Guarantee: they wait as one item, up to what gathers.
    #[test]
    fn a_storm_is_few_items() {
        let account = Ledger::default().pipeline(&Telemetry::default(), "logs").destination("sink");
        let mut waiting = Waiting::new(Settings::of(&QueueConfig::default()));
        waiting.together = Some(Together::default());
        for _ in 0..2 * LARGEST / 1024 {
            let request = OtlpRequest { signal: Signal::Logs, bytes: vec![1; 1024].into(), items: 1 };
            waiting.push(request, &account, 1, 1024);
        }
        assert_eq!(waiting.items.len(), 2);
    }
}
