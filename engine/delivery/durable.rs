//! The disk behind a sending queue: entries of a [`lanner_queue`] log.
//!
//! Promises: an entry that is dropped unsettled stays in the log and is taken again, in this run or the next; what cannot
//! be read is counted, dropped and never stops the queue.

use super::{
    entry::{self, Head},
    ledger::DestinationAccount,
    shedding::Shedding,
};
use crate::event::{OtlpRequest, Signal};
use bytes::Bytes;
use lanner_queue::{Append, Entry, Limits, Log, Queue, QueueStats};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Most entries that are read for one queue at a time.
const MOST_ENTRIES: usize = 1024;
/// Most bytes that one queue holds in memory besides what the log keeps hot.
pub(super) const WINDOW: usize = 4 << 20;

/// The part of a log that belongs to one sending queue.
pub struct DurableQueue {
    log: Log,
    queue: Queue,
    run: u64,
    /// Entries of earlier runs below this were seen already.
    seen: AtomicU64,
    dead_letters: Option<Queue>,
    shedding: Shedding,
}

/// A request as it was found in the log.
pub(super) struct Found {
    pub request: OtlpRequest,
    /// Whose it is.
    pub account: Arc<DestinationAccount>,
    pub entry: Entry,
    /// Whether an earlier run had accepted it, and this one sees it for the first time.
    pub recovered: bool,
    /// When it was appended, in milliseconds since 1970.
    pub appended: u64,
}

impl DurableQueue {
    /// The queue `name` of a log. `run` is the same for all queues of the process.
    pub fn new(log: Log, queue: Queue, run: u64) -> Self {
        Self { log, queue, run, seen: AtomicU64::new(0), dead_letters: None, shedding: Shedding::default() }
    }

    /// Keeps what the sink refuses in `queue`, which is of the same log.
    pub fn with_dead_letters(self, queue: Queue) -> Self {
        Self { dead_letters: Some(queue), ..self }
    }

    /// Makes room in a full log by the queues of `shedding`, which is one for the whole log.
    pub fn with_shedding(self, shedding: Shedding) -> Self {
        Self { shedding, ..self }
    }

    /// The queues of the log that give way.
    pub(super) fn shedding(&self) -> &Shedding {
        &self.shedding
    }

    /// The log.
    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// Where dead letters go.
    pub(super) fn dead_letters(&self) -> Option<&Queue> {
        self.dead_letters.as_ref()
    }

    /// A request as an entry; with a reason and a detail, as a dead letter.
    pub(super) fn entry(&self, pipeline: &str, rejection: Option<(&str, &str)>, request: &OtlpRequest) -> Bytes {
        entry::write(self.run, pipeline, rejection, request)
    }

    /// Adds an entry to an append.
    pub(super) fn put(&self, append: Append, entry: Bytes) -> Append {
        append.put(&self.queue, entry)
    }

    /// Takes what is there, up to so many bytes; `whose` knows the accounts of pipelines. What cannot be read is given back as the
    /// second.
    pub(super) fn take(
        &self,
        signal: Signal,
        bytes: usize,
        mut whose: impl FnMut(&str) -> Arc<DestinationAccount>,
    ) -> (Vec<Found>, Vec<Entry>) {
        let entries = self.queue.take(Limits { entries: MOST_ENTRIES, bytes });
        let (mut found, mut unreadable) = (Vec::with_capacity(entries.len()), Vec::new());
        for entry in entries {
            let payload = entry.payload();
            let Some(Head { run, items, pipeline, end, .. }) = Head::read(&payload) else {
                unreadable.push(entry);
                continue;
            };
            let recovered = run != self.run && self.seen.fetch_max(entry.offset() + 1, Relaxed) <= entry.offset();
            let (account, appended) = (whose(pipeline), entry.appended());
            let request = OtlpRequest { signal, bytes: payload.slice(end..), items };
            found.push(Found { request, account, entry, recovered, appended });
        }
        (found, unreadable)
    }

    /// Returns when there is something to take.
    pub(super) async fn arrived(&self) {
        self.queue.arrived().await;
    }

    /// No exporter sends it any more.
    pub(super) fn retire(&self) {
        self.queue.retire();
    }

    /// Its numbers.
    pub fn stats(&self) -> QueueStats {
        self.queue.stats()
    }
}
