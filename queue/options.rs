//! What a log and its queues can be told, and the bounds that follow from it.

use std::time::Duration;

/// Bounds of a log.
#[derive(Clone, Debug)]
pub struct Options {
    /// Size of a segment in bytes; the largest append is 7/8 of it. From 4 KiB to 1 GiB.
    pub segment_bytes: u64,
    /// The files of the log stay below this, all together. At least eight segments.
    pub max_bytes: u64,
    /// Entries that were just appended are kept in memory up to this many bytes, so that senders need not read.
    pub hot_bytes: usize,
    /// So much is read ahead for one queue that has fallen behind.
    pub read_ahead: usize,
    /// Appends that wait for the disk hold at most this many bytes.
    pub pending_bytes: usize,
    /// Acknowledgements reach the disk after at most this time; a crash repeats what was acknowledged since.
    pub ack_interval: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 32 << 20,
            max_bytes: 1 << 30,
            hot_bytes: 32 << 20,
            read_ahead: 256 << 10,
            pending_bytes: 64 << 20,
            ack_interval: Duration::from_millis(100),
        }
    }
}

/// What to do with an append that a queue has no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Let it wait until there is room.
    #[default]
    Hold,
    /// Refuse it.
    Reject,
    /// Drop the oldest entries that nobody has taken, and count them. Also gives way when the whole log is full.
    DropOldest,
}

/// How one queue behaves.
#[derive(Clone, Debug)]
pub struct QueueOptions {
    /// What happens when it is full.
    pub policy: Policy,
    /// Its share in bytes; 0 is no bound but that of the log.
    pub max_bytes: u64,
    /// Entries that may be taken and not yet settled. From 1 to 65 536; bounds the memory for their bookkeeping.
    pub max_in_flight: usize,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self { policy: Policy::Hold, max_bytes: 0, max_in_flight: 16_384 }
    }
}

/// There are at most so many queues in a log, orphans included.
pub const MAX_QUEUES: usize = 1024;

/// Options that contradict themselves.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadOptions {
    #[error("a segment of {0} bytes is out of range; use 4 KiB to 1 GiB, for example 32 MiB")]
    Segment(u64),
    #[error("a budget of {max_bytes} bytes has no room for eight segments of {segment_bytes}; use at least {needed}")]
    Budget { max_bytes: u64, segment_bytes: u64, needed: u64 },
    #[error("{0} entries in flight are out of range; use 1 to 65536")]
    InFlight(usize),
    #[error("a queue's name has 1 to 255 bytes; `{0}` does not")]
    Name(String),
    #[error("the log has {MAX_QUEUES} queues already; drop those that are not used any more")]
    TooManyQueues,
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), BadOptions> {
        if !(4096..=1 << 30).contains(&self.segment_bytes) {
            return Err(BadOptions::Segment(self.segment_bytes));
        }
        let needed = self.segment_bytes * 8;
        if self.max_bytes < needed {
            return Err(BadOptions::Budget { max_bytes: self.max_bytes, segment_bytes: self.segment_bytes, needed });
        }
        Ok(())
    }

    /// What live entries may take: the budget without the segment that is written, the next one, what a spill takes
    /// before it pays off, what a start takes before it can make room, and a segment that is partly consumed.
    pub(crate) fn capacity(&self) -> u64 {
        self.max_bytes - 5 * self.segment_bytes
    }

    /// The largest append.
    pub(crate) fn max_append(&self) -> u64 {
        self.segment_bytes / 8 * 7
    }

    /// Kept free at the end of a segment for acknowledgements, so that a full disk does not keep what frees it from
    /// being written.
    pub(crate) fn reserve(&self) -> u64 {
        (self.segment_bytes / 64).clamp(512, 256 << 10)
    }

    /// Spills of one queue are merged up to this size.
    pub(crate) fn spill_bytes(&self) -> u64 {
        (self.segment_bytes / 16).max(1024)
    }

    /// Entries of a queue are indexed in steps of this many bytes.
    pub(crate) fn span_bytes(&self) -> u64 {
        (self.segment_bytes / 512).min(64 << 10)
    }
}

impl QueueOptions {
    pub(crate) fn check(&self) -> Result<(), BadOptions> {
        if !(1..=65_536).contains(&self.max_in_flight) {
            return Err(BadOptions::InFlight(self.max_in_flight));
        }
        Ok(())
    }
}
