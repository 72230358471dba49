//! lanner-queue: queues that survive the process and the machine.
//!
//! A directory holds one segmented log that all queues of a process share. One append feeds any number of queues and is
//! in all of them or in none; each queue has a cursor of its own, entries are acknowledged in any order, and whoever
//! is slow keeps what is theirs without keeping the disk.
//!
//! Promises
//! - [`Log::append`] returns success only after the entries are synced to disk. All who wait share one sync.
//! - An entry is handed out again after a restart unless its acknowledgement is on disk, and then never again.
//!   Entries of a queue come in the order of their appends.
//! - Damage costs the records that it hits. Nothing on disk makes opening, reading or this process fail, except a
//!   newer format, a foreign file, and a disk that cannot be read.
//! - Memory, disk, queues, entries in flight and waiting appends are bounded, and each bound says what happens there.
//!
//! This crate knows nothing of events or pipelines. The README has the format on disk and what is tested how.
//!
//! Layers, each using only those before it: `fs`, `format`, `scan`; `acked`, `index`; `writer`, `reader`, `recovery`;
//! `core`; [`Log`] and [`Stopped`].

mod acked;
mod core;
mod error;
mod format;
mod fs;
mod gathering;
mod index;
mod log;
mod options;
mod reader;
mod recovery;
mod scan;
mod stats;
mod stopped;
#[cfg(test)]
mod tests;
mod threads;
mod writer;

pub use error::{AppendError, DiskError, Full, OpenError, TooLarge};
pub use fs::DirectoryError;
pub use index::Limits;
pub use log::{Admission, Append, Entry, Log, Queue};
pub use options::{BadOptions, MAX_QUEUES, Options, Policy, QueueOptions};
pub use stats::{LogCounts, QueueCounts, QueueStats, Recovered, SYNC_BOUNDS, Stats, SyncTimes};
pub use stopped::{Peeked, Stopped, StoppedError};
