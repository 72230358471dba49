//! Numbers for whoever scrapes: a snapshot is plain data.

use std::{sync::Arc, time::Duration};

/// Upper bounds of the buckets of [`SyncTimes`], in seconds; the last bucket has none.
pub const SYNC_BOUNDS: [f64; 10] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0];

/// How long syncs took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SyncTimes {
    /// Syncs in each bucket of [`SYNC_BOUNDS`], and above the last; not cumulative.
    pub buckets: [u64; SYNC_BOUNDS.len() + 1],
    /// How many there were.
    pub count: u64,
    /// How long they took together, in seconds.
    pub seconds: f64,
}

impl SyncTimes {
    pub(crate) fn observe(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = SYNC_BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(SYNC_BOUNDS.len());
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            *bucket += 1;
        }
        self.count += 1;
        self.seconds += seconds;
    }
}

/// What happened to a log since it was opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogCounts {
    pub syncs: SyncTimes,
    /// Writes and syncs that failed; each one ended a segment.
    pub write_errors: u64,
    /// Reads that failed and are tried again.
    pub read_errors: u64,
    /// Appends that are on disk.
    pub appends: u64,
    /// Appends that the disk refused.
    pub failed_appends: u64,
    /// Whether it refused the last one.
    pub failing: bool,
    /// Bytes written, acknowledgements and spills included.
    pub written_bytes: u64,
    /// Records that were found damaged when they were read.
    pub corrupt_records: u64,
    /// Bytes of those.
    pub corrupt_bytes: u64,
    /// Entries that were moved out of old segments so that those could be deleted.
    pub spilled_entries: u64,
}

/// A log at one moment.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub counts: LogCounts,
    /// Size of all files together.
    pub disk_bytes: u64,
    /// What [`disk_bytes`](Self::disk_bytes) stays below.
    pub max_bytes: u64,
    /// How many files there are.
    pub files: usize,
    /// Bytes of entries kept in memory for senders.
    pub hot_bytes: usize,
    pub queues: Vec<QueueStats>,
}

/// What happened to a queue since the log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    pub appended: u64,
    pub settled: u64,
    /// Entries that gave way to newer ones.
    pub dropped: u64,
    /// Bytes of those, as they were counted against the budget.
    pub dropped_bytes: u64,
    /// Entries that were damaged on disk.
    pub lost: u64,
    /// Appends refused for want of room.
    pub refused: u64,
}

/// A queue at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    pub name: Arc<str>,
    /// Whether this process uses it; otherwise it is an orphan that is only kept.
    pub declared: bool,
    /// Entries that are not settled, those in flight included.
    pub entries: u64,
    /// What they take of the budget.
    pub bytes: u64,
    /// How many of them are taken.
    pub in_flight: u64,
    /// Age of the oldest; `None` when there is none. Never negative, whatever the clock does. Exact to a step of 64 KiB.
    pub oldest: Option<Duration>,
    pub counts: QueueCounts,
}

/// What was found when a log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Files that were read.
    pub files: usize,
    /// Entries that wait, over all queues.
    pub entries: u64,
    /// Bytes at the end of the last segment that were never acknowledged; cut off.
    pub torn_bytes: u64,
    /// Damaged places in what had been acknowledged.
    pub corrupt_records: u64,
    /// Bytes of those.
    pub corrupt_bytes: u64,
    /// Entries that are missing because of them, as far as the gaps show: the newest of a queue leave none.
    pub lost_entries: u64,
    /// Entries that were there twice because a move was interrupted; one of them counts.
    pub duplicates: u64,
    /// Leftovers of interrupted work that were removed.
    pub leftovers: usize,
    /// Files that are not the log's and were left alone.
    pub strangers: usize,
}
