//! What the log knows in memory: where entries are, which are done, who has taken what, and how much room is left.
//!
//! Promises
//! - Memory does not grow with the number of entries: queues are indexed in [`Span`]s of about 64 KiB, what is done in
//!   ranges; only entries in flight have something of their own, and their number is bounded.
//! - A queue's entries are handed out in the order of their offsets; what was given back comes first.
//! - An entry is live from the moment it is on disk until it is settled, dropped or found damaged, and is counted in
//!   exactly one of these ways.
//! - A file is dead when nothing live is in it. The writer deletes it once what was done is on disk.
//!
//! No file is touched here. All of it is behind one lock that is never held during I/O.

mod admission;
mod cursors;
mod files;
mod filling;
mod handing;
mod moving;
mod queue;
mod settling;

pub use files::FileInfo;
pub use handing::{Limits, Takeable};
pub use moving::Moved;
pub use queue::{Item, QueueState, Span, cost};

use crate::{
    options::{BadOptions, MAX_QUEUES, Options, QueueOptions},
    stats::{LogCounts, Stats},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio::sync::Notify;

/// A queue's place in the index, for the life of the process.
pub type Slot = usize;

/// See the head of the module.
pub struct Index {
    pub(crate) queues: Vec<QueueState>,
    names: HashMap<Arc<str>, Slot>,
    pub(crate) files: BTreeMap<u64, FileInfo>,
    /// Entries the log was ever given. A new queue starts here, so that an offset is never used twice under a name.
    pub(crate) sequence: u64,
    /// Live bytes in segments.
    segment_live: u64,
    /// Bytes of spills that are not dead.
    spill_used: u64,
    /// Admitted and not yet on disk.
    reserved: u64,
    capacity: u64,
    max_append: u64,
    max_bytes: u64,
    span_bytes: u64,
    read_ahead: usize,
    hot_limit: usize,
    hot_bytes: usize,
    /// Something was done since cursors were written last.
    pub(crate) dirty: bool,
    /// A file died since the writer looked.
    pub(crate) deaths: bool,
    /// Rings when there may be room for those who hold.
    pub(crate) room: Arc<Notify>,
    pub(crate) counts: LogCounts,
}

impl Index {
    /// An empty index.
    pub fn new(options: &Options) -> Self {
        Self {
            queues: Vec::new(),
            names: HashMap::new(),
            files: BTreeMap::new(),
            sequence: 0,
            segment_live: 0,
            spill_used: 0,
            reserved: 0,
            capacity: options.capacity(),
            max_append: options.max_append(),
            max_bytes: options.max_bytes,
            span_bytes: options.span_bytes(),
            read_ahead: options.read_ahead,
            hot_limit: options.hot_bytes,
            hot_bytes: 0,
            dirty: false,
            deaths: false,
            room: Arc::default(),
            counts: LogCounts::default(),
        }
    }

    /// The queue of this name, if it is known.
    pub fn slot(&self, name: &str) -> Option<Slot> {
        self.names.get(name).copied()
    }

    /// The queue of this name; made when it is not known.
    ///
    /// # Errors
    /// The name is empty or too long, or there are too many queues.
    pub fn slot_or_new(&mut self, name: &str) -> Result<Slot, BadOptions> {
        self.slot_from(name, self.sequence)
    }

    /// The same, with the offset that a new queue begins at.
    pub fn slot_from(&mut self, name: &str, start: u64) -> Result<Slot, BadOptions> {
        if let Some(slot) = self.slot(name) {
            return Ok(slot);
        }
        if name.is_empty() || name.len() > 255 {
            return Err(BadOptions::Name(name.to_owned()));
        }
        if self.queues.len() >= MAX_QUEUES {
            return Err(BadOptions::TooManyQueues);
        }
        let name: Arc<str> = name.into();
        let slot = self.queues.len();
        self.queues.push(QueueState::new(Arc::clone(&name), start));
        self.names.insert(name, slot);
        Ok(slot)
    }

    /// Takes a queue into use.
    ///
    /// # Errors
    /// The options contradict themselves, or the name cannot be used.
    pub fn declare(&mut self, name: &str, options: QueueOptions) -> Result<Slot, BadOptions> {
        options.check()?;
        let slot = self.slot_or_new(name)?;
        if let Some(queue) = self.queues.get_mut(slot) {
            queue.options = options;
            queue.declared = true;
        }
        Ok(slot)
    }

    /// The numbers at this moment, which is `now` milliseconds after 1970.
    pub fn stats(&self, now: u64) -> Stats {
        Stats {
            counts: self.counts.clone(),
            disk_bytes: self.disk_bytes(),
            max_bytes: self.max_bytes,
            files: self.files.len(),
            hot_bytes: self.hot_bytes,
            queues: self.queues.iter().map(|queue| queue.stats(now)).collect(),
        }
    }

    /// Bytes of entries that memory holds for senders, hot or read ahead.
    #[cfg(test)]
    pub fn held_bytes(&self) -> usize {
        self.hot_bytes + self.queues.iter().map(|queue| queue.ready_bytes).sum::<usize>()
    }
}
