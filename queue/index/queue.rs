//! One queue in memory.

use crate::{
    acked::Acked,
    format::body::ENTRY_OVERHEAD,
    options::QueueOptions,
    stats::{QueueCounts, QueueStats},
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Notify;

/// A run of a queue's entries in one file, read from `at` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub file: u64,
    /// Start of the record with the first entry.
    pub at: u64,
    pub first: u64,
    /// Behind the last entry. Offsets between that are not live are done.
    pub end: u64,
    /// Entries that are live.
    pub live: u64,
    /// What the live ones take of the budget.
    pub bytes: u64,
    /// What all of them took.
    pub size: u64,
    /// When the first was appended, in milliseconds since 1970.
    pub since: u64,
}

/// An entry with its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub offset: u64,
    pub appended: u64,
    pub payload: Bytes,
    /// What it takes of the budget.
    pub cost: u64,
}

/// What an entry takes of the budget.
pub fn cost(queue: &str, payload: usize) -> u64 {
    payload as u64 + queue.len() as u64 + ENTRY_OVERHEAD
}

/// See the head of the module.
pub struct QueueState {
    pub name: Arc<str>,
    pub declared: bool,
    pub options: QueueOptions,
    /// The offset of the next entry.
    pub next: u64,
    pub acked: Acked,
    /// Done since cursors were written last.
    pub dirty: Acked,
    /// The newest file that has any of its entries, done or not.
    pub last_file: Option<u64>,
    /// By offset.
    pub spans: VecDeque<Span>,
    pub entries: u64,
    pub bytes: u64,
    /// Admitted and not yet on disk.
    pub reserved: u64,
    /// All live entries from `hot_from` on, in order.
    pub hot: VecDeque<Item>,
    pub hot_bytes: usize,
    pub hot_from: u64,
    /// Read from disk and not yet taken, in order; all of it lies below `read_next`.
    pub ready: VecDeque<Item>,
    pub ready_bytes: usize,
    /// Everything live below this is ready, returned or in flight.
    pub read_next: u64,
    /// Where the reader was when it had got to an offset: file, position, offset.
    pub read_hint: Option<(u64, u64, u64)>,
    /// Taken and given back.
    pub returned: BTreeMap<u64, Item>,
    /// Offset to cost.
    pub in_flight: BTreeMap<u64, u64>,
    pub arrivals: Arc<Notify>,
    pub counts: QueueCounts,
}

impl QueueState {
    pub fn new(name: Arc<str>, start: u64) -> Self {
        Self {
            name,
            declared: false,
            options: QueueOptions::default(),
            next: start,
            acked: Acked::starting_at(start),
            dirty: Acked::default(),
            last_file: None,
            spans: VecDeque::new(),
            entries: 0,
            bytes: 0,
            reserved: 0,
            hot: VecDeque::new(),
            hot_bytes: 0,
            hot_from: start,
            ready: VecDeque::new(),
            ready_bytes: 0,
            read_next: start,
            read_hint: None,
            returned: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            arrivals: Arc::default(),
            counts: QueueCounts::default(),
        }
    }

    /// The span that `offset` lies in, or the first one behind it.
    pub fn span_from(&self, offset: u64) -> usize {
        self.spans.partition_point(|span| span.end <= offset)
    }

    /// Which file holds `offset`, if it is live.
    pub fn file_of(&self, offset: u64) -> Option<u64> {
        let span = self.spans.get(self.span_from(offset)).filter(|span| span.first <= offset)?;
        (!self.acked.contains(offset)).then_some(span.file)
    }

    pub fn stats(&self, now: u64) -> QueueStats {
        QueueStats {
            name: Arc::clone(&self.name),
            declared: self.declared,
            entries: self.entries,
            bytes: self.bytes,
            in_flight: self.in_flight.len() as u64,
            oldest: self.spans.front().map(|span| Duration::from_millis(now.saturating_sub(span.since))),
            counts: self.counts.clone(),
        }
    }
}
