//! The disk behind a sending queue: entries of a [`lanner_queue`] log, and what each says besides its request.
//!
//! Promises: an entry is settled when every part of its request is; one that is dropped unsettled stays in the log and is
//! taken again, in this run or the next; what cannot be read is counted, dropped and never stops the queue.
//!
//! ```text
//! entry: version (1) | run (8) | items (4) | length of the pipeline's name (2) | its name | OTLP request
//! ```
//! Little-endian. The run tells what this process has counted already from what it finds of earlier ones.

use crate::event::{OtlpRequest, Signal};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use lanner_queue::{Append, Entry, Limits, Log, Queue, QueueStats};
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

const VERSION: u8 = 1;
const HEADER: usize = 1 + 8 + 4 + 2;
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
}

/// A request as it was found in the log.
pub(super) struct Found {
    pub request: OtlpRequest,
    pub pipeline: String,
    pub entry: Entry,
    /// Whether an earlier run had accepted it, and this one sees it for the first time.
    pub recovered: bool,
    /// When it was appended, in milliseconds since 1970.
    pub appended: u64,
}

impl DurableQueue {
    /// The queue `name` of a log. `run` is the same for all queues of the process.
    pub fn new(log: Log, queue: Queue, run: u64) -> Self {
        Self { log, queue, run, seen: AtomicU64::new(0) }
    }

    /// The log.
    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// A request as an entry.
    pub(super) fn entry(&self, pipeline: &str, request: &OtlpRequest) -> Bytes {
        // Names of pipelines are short; a longer one would only be cut in the books.
        let name = pipeline.as_bytes();
        let name = &name[..name.len().min(usize::from(u16::MAX))];
        let mut entry = BytesMut::with_capacity(HEADER + name.len() + request.bytes.len());
        entry.put_u8(VERSION);
        entry.put_u64_le(self.run);
        entry.put_u32_le(u32::try_from(request.items).unwrap_or(u32::MAX));
        entry.put_u16_le(name.len() as u16);
        entry.put_slice(name);
        entry.put_slice(&request.bytes);
        entry.freeze()
    }

    /// Adds an entry to an append.
    pub(super) fn put(&self, append: Append, entry: Bytes) -> Append {
        append.put(&self.queue, entry)
    }

    /// Takes what is there, up to so many bytes. What cannot be read is given back as the second.
    pub(super) fn take(&self, signal: Signal, bytes: usize) -> (Vec<Found>, Vec<Entry>) {
        let entries = self.queue.take(Limits { entries: MOST_ENTRIES, bytes });
        let (mut found, mut unreadable) = (Vec::with_capacity(entries.len()), Vec::new());
        for entry in entries {
            match read(entry.payload(), signal) {
                Some((run, pipeline, request)) => {
                    let recovered =
                        run != self.run && self.seen.fetch_max(entry.offset() + 1, Relaxed) <= entry.offset();
                    let appended = entry.appended();
                    found.push(Found { request, pipeline, entry, recovered, appended });
                }
                None => unreadable.push(entry),
            }
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

/// Run, pipeline and request of an entry.
fn read(mut entry: Bytes, signal: Signal) -> Option<(u64, String, OtlpRequest)> {
    if entry.len() < HEADER || entry.get_u8() != VERSION {
        return None;
    }
    let (run, items, length) = (entry.get_u64_le(), entry.get_u32_le(), usize::from(entry.get_u16_le()));
    if entry.len() < length {
        return None;
    }
    let pipeline = String::from_utf8(entry.split_to(length).to_vec()).ok()?;
    Some((run, pipeline, OtlpRequest { signal, bytes: entry, items: items as usize }))
}

/// The entries of a request on its way to the sink. Its parts share it; the last one decides.
#[derive(Clone, Default)]
pub(super) struct Settling(Option<Arc<Entries>>);

struct Entries {
    entries: Mutex<Vec<Entry>>,
    kept: AtomicBool,
}

impl Settling {
    /// Settles these when the last clone is dropped.
    pub fn new(entries: Vec<Entry>) -> Self {
        let some = !entries.is_empty();
        Self(some.then(|| Arc::new(Entries { entries: Mutex::new(entries), kept: AtomicBool::new(false) })))
    }

    /// Whether the request is in a log.
    pub fn is_durable(&self) -> bool {
        self.0.is_some()
    }

    /// Leaves all in the log, to be taken again.
    pub fn keep(&self) {
        if let Some(entries) = &self.0 {
            entries.kept.store(true, Relaxed);
        }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        let entries = std::mem::take(&mut *self.entries.lock());
        if !self.kept.load(Relaxed) {
            entries.into_iter().for_each(Entry::settle);
        }
    }
}
