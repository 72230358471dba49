//! A log that no process uses: looked at, and put in order, by a person.
//!
//! The directory is locked as by a running process, so neither can surprise the other. Everything here blocks.

use crate::{
    core::Core,
    error::{AppendError, DiskError, OpenError},
    fs::{Directory, Fs},
    index::{Limits, Slot},
    options::{BadOptions, Options},
    recovery::Access,
    stats::{QueueStats, Recovered},
    writer::now,
};
use bytes::Bytes;
use std::{io, path::Path, sync::Arc};

/// Entries are moved in appends of at most so many.
const MOVED_AT_ONCE: usize = 256;

/// See the head of the module.
pub struct Stopped {
    core: Core,
    max_append: u64,
    access: Access,
}

/// An entry that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peeked {
    pub offset: u64,
    /// When it was appended, in milliseconds since 1970.
    pub appended: u64,
    pub payload: Bytes,
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum StoppedError {
    #[error("there is no queue `{name}`; there are: {known}")]
    NoQueue { name: String, known: String },
    #[error("the log was opened for looking only; open it for changes")]
    LookOnly,
    #[error("`{0}` cannot be moved into itself; name another queue")]
    Itself(String),
    #[error("cannot read the log: {0}")]
    Read(#[from] io::Error),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Name(#[from] BadOptions),
}

impl Stopped {
    /// Opens a log for looking at it; nothing is changed, not even what a crash has left.
    ///
    /// # Errors
    /// See [`OpenError`]; a running process has it locked.
    pub fn look(directory: &Path, options: Options) -> Result<Self, OpenError> {
        Self::open_as(directory, options, Access::Read)
    }

    /// Opens a log for changing it.
    ///
    /// # Errors
    /// See [`OpenError`]; a running process has it locked.
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        Self::open_as(directory, options, Access::Write)
    }

    fn open_as(directory: &Path, options: Options, access: Access) -> Result<Self, OpenError> {
        let fs: Arc<dyn Fs> = Arc::new(Directory::existing(directory)?);
        let max_append = options.max_append();
        Ok(Self { core: Core::open(fs, options, access)?, max_append, access })
    }

    /// What was found on disk.
    pub fn found(&self) -> &Recovered {
        &self.core.found
    }

    /// All queues, by name.
    pub fn list(&self) -> Vec<QueueStats> {
        let mut queues = self.core.index.lock().stats(now()).queues;
        queues.sort_by(|a, b| a.name.cmp(&b.name));
        queues
    }

    /// The first `count` entries of a queue.
    ///
    /// # Errors
    /// There is no such queue, or a file cannot be read.
    pub fn peek(&self, queue: &str, count: usize) -> Result<Vec<Peeked>, StoppedError> {
        let items = self.core.reader.peek(self.slot(queue)?, 0, count)?;
        let peeked =
            |item: crate::index::Item| Peeked { offset: item.offset, appended: item.appended, payload: item.payload };
        Ok(items.into_iter().map(peeked).collect())
    }

    /// Drops all entries of a queue; returns how many.
    ///
    /// # Errors
    /// There is no such queue, or the disk refused.
    pub fn drop_queue(&mut self, queue: &str) -> Result<u64, StoppedError> {
        self.may_change()?;
        let slot = self.slot(queue)?;
        let dropped = self.core.index.lock().drop_all(slot);
        self.core.writer.write_acknowledgements()?;
        self.core.writer.reclaim()?;
        Ok(dropped)
    }

    /// Moves all entries of a queue behind those of another; returns how many. Each is in one of the two at any
    /// moment, whatever happens.
    ///
    /// # Errors
    /// There is no such queue, a file cannot be read, or there is no room; what was moved until then stays moved.
    pub fn redrive(&mut self, from: &str, to: &str) -> Result<u64, StoppedError> {
        self.may_change()?;
        if from == to {
            return Err(StoppedError::Itself(from.to_owned()));
        }
        let source = self.slot(from)?;
        let target = self.core.index.lock().slot_or_new(to)?;
        let bytes = usize::try_from(self.max_append / 4).unwrap_or(usize::MAX);
        let mut moved = 0;
        loop {
            let items = self.core.take(source, Limits { entries: MOVED_AT_ONCE, bytes })?;
            if items.is_empty() {
                break;
            }
            let puts: Vec<(Slot, Bytes)> = items.iter().map(|item| (target, item.payload.clone())).collect();
            let settles: Vec<(Slot, u64)> = items.iter().map(|item| (source, item.offset)).collect();
            let count = items.len() as u64;
            if let Err(error) = self.core.append(&puts, &settles) {
                let mut index = self.core.index.lock();
                items.into_iter().for_each(|item| index.give_back(source, item));
                return Err(error.into());
            }
            moved += count;
        }
        self.core.writer.reclaim()?;
        Ok(moved)
    }

    fn may_change(&self) -> Result<(), StoppedError> {
        if self.access == Access::Write { Ok(()) } else { Err(StoppedError::LookOnly) }
    }

    fn slot(&self, name: &str) -> Result<Slot, StoppedError> {
        let index = self.core.index.lock();
        index.slot(name).ok_or_else(|| {
            let mut known: Vec<&str> = index.queues.iter().map(|queue| &*queue.name).collect();
            known.sort_unstable();
            StoppedError::NoQueue { name: name.to_owned(), known: known.join(", ") }
        })
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.core.writer.finish();
    }
}
