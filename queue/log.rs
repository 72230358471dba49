//! A log in use.
//!
//! Promises: no call blocks the caller's thread on the disk; dropping a future leaves an append in the log as a whole
//! or not at all, and a taken entry to be taken again.

use crate::{
    core::Core,
    error::{AppendError, Full, OpenError},
    fs::{Directory, Fs},
    index::{Index, Item, Limits, Slot, Takeable},
    options::{BadOptions, Options, QueueOptions},
    recovery::Access,
    stats::{QueueStats, Recovered, Stats},
    threads::{self, Ends},
    writer::{self, Job, Put},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{path::Path, sync::Arc};
use tokio::sync::{Semaphore, oneshot};

/// Waiting appends are counted in steps of this many bytes.
const STEP: usize = 1024;

/// A segmented log and its two threads. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    index: Arc<Mutex<Index>>,
    ends: Ends,
    /// Room among the appends that wait for the disk, in steps.
    pending: Arc<Semaphore>,
    pending_steps: u32,
    /// The threads, until somebody waits for their end.
    ended: Mutex<Vec<oneshot::Receiver<()>>>,
}

/// A queue of a log. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    shared: Arc<Shared>,
    slot: Slot,
    name: Arc<str>,
}

/// What is to become one record: all of it or nothing.
#[derive(Default)]
#[must_use = "nothing is written before it is given to the log"]
pub struct Append {
    puts: Vec<(Slot, Bytes)>,
    settles: Vec<Entry>,
}

/// An append that has room in all of its queues. Dropped, it gives the room back.
#[must_use = "room that is not used is given back"]
pub struct Admission {
    shared: Arc<Shared>,
    puts: Vec<Put>,
    settles: Vec<Entry>,
}

/// An entry that was taken. Settle it when it is delivered; dropped, it is the next to be taken again.
pub struct Entry {
    shared: Arc<Shared>,
    slot: Slot,
    /// Gone when settled.
    item: Option<Item>,
}

impl Log {
    /// Opens the log in `directory`, which is made when it is missing, and recovers what is in it. Takes about a
    /// second for each gigabyte that waits.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(directory: &Path, options: Options) -> Result<(Self, Recovered), OpenError> {
        let directory = directory.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let fs: Arc<dyn Fs> = Arc::new(Directory::open(&directory)?);
            Self::start(fs, options)
        });
        // The task does not panic and is not aborted.
        opened.await.unwrap_or_else(|error| Err(OpenError::Thread(std::io::Error::other(error))))
    }

    /// As [`Log::open`], on any file system. Blocks.
    pub(crate) fn start(fs: Arc<dyn Fs>, options: Options) -> Result<(Self, Recovered), OpenError> {
        let core = Core::open(fs, options.clone(), Access::Write)?;
        let (ends, ack_interval) = (Ends::default(), options.ack_interval);
        let steps = u32::try_from(options.pending_bytes.div_ceil(STEP)).unwrap_or(u32::MAX).max(1);
        let (index, found) = (core.index, core.found);
        let (writer, reader) = (core.writer, core.reader);
        let (inbox, of_writer) = (Arc::clone(&ends.inbox), Arc::clone(&index));
        let written = spawn("queue-write", move || threads::write(writer, &inbox, &of_writer, ack_interval))?;
        let (wanted, of_reader) = (Arc::clone(&ends.wanted), Arc::clone(&index));
        let read = spawn("queue-read", move || threads::read(&reader, &wanted, &of_reader)).inspect_err(|_| {
            ends.inbox.close();
        })?;
        // Files that died before the start are looked for at once.
        ends.inbox.upkeep();
        let shared = Shared {
            index,
            ends,
            pending: Arc::new(Semaphore::new(steps as usize)),
            pending_steps: steps,
            ended: Mutex::new(vec![written, read]),
        };
        Ok((Self { shared: Arc::new(shared) }, found))
    }

    /// Takes a queue into use; its entries of earlier runs are there.
    ///
    /// # Errors
    /// The name or the options cannot be used.
    pub fn queue(&self, name: &str, options: QueueOptions) -> Result<Queue, BadOptions> {
        let slot = self.shared.index.lock().declare(name, options)?;
        Ok(Queue { shared: Arc::clone(&self.shared), slot, name: name.into() })
    }

    /// Reserves room for an append, in all of its queues or in none. The append comes back when there is none.
    ///
    /// # Errors
    /// A queue is full, or the append can never fit.
    pub fn admit(&self, append: Append) -> Result<Admission, (AppendError, Append)> {
        let mut index = self.shared.index.lock();
        let puts: Vec<Put> =
            append.puts.iter().filter_map(|(slot, payload)| index.put(*slot, payload.clone())).collect();
        let costs: Vec<(Slot, u64)> = puts.iter().map(|put| (put.slot, put.cost)).collect();
        let admitted = index.admit(&costs);
        let upkeep = index.dirty || index.deaths;
        drop(index);
        if upkeep {
            // Old entries may have been dropped for this.
            self.shared.ends.inbox.upkeep();
        }
        match admitted {
            Ok(()) => Ok(Admission { shared: Arc::clone(&self.shared), puts, settles: append.settles }),
            Err(error) => Err((error, append)),
        }
    }

    /// Appends; returns once it is on disk. Waits while a queue that holds has no room; who has waited longest has no
    /// precedence. Dropping the future leaves the append in the log as a whole or not at all.
    ///
    /// # Errors
    /// Nothing of it is in the log; see [`AppendError`].
    pub async fn append(&self, mut append: Append) -> Result<(), AppendError> {
        let room = Arc::clone(&self.shared.index.lock().room);
        loop {
            let freed = room.notified();
            match self.admit(append) {
                Ok(admission) => return admission.write().await,
                Err((AppendError::Full(Full { holds: true, .. }), back)) => append = back,
                Err((error, _)) => return Err(error),
            }
            freed.await;
        }
    }

    /// The numbers at this moment.
    pub fn stats(&self) -> Stats {
        self.shared.index.lock().stats(writer::now())
    }

    /// Appends that have not been answered.
    #[cfg(test)]
    pub fn pending_appends(&self) -> usize {
        self.shared.pending_steps as usize - self.shared.pending.available_permits()
    }

    /// Refuses what comes, writes what has come and all acknowledgements, and returns when the directory is free.
    /// Entries that are taken then stay in the log.
    pub async fn close(&self) {
        self.shared.ends.inbox.close();
        self.shared.ends.wanted.close();
        let ended = std::mem::take(&mut *self.shared.ended.lock());
        for thread in ended {
            // An error means that the thread is gone as well.
            let _ = thread.await;
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<oneshot::Receiver<()>, OpenError> {
    let (ended, end) = oneshot::channel();
    let run = move || {
        work();
        let _ = ended.send(());
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(OpenError::Thread)?;
    Ok(end)
}

impl Drop for Shared {
    /// A log that is only dropped ends as well, a moment later.
    fn drop(&mut self) {
        self.ends.inbox.close();
        self.ends.wanted.close();
    }
}

impl Append {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry. Queues that are given the same bytes one after the other share them on disk.
    pub fn put(mut self, queue: &Queue, payload: Bytes) -> Self {
        self.puts.push((queue.slot, payload));
        self
    }

    /// Settles an entry when this is written, and gives it back when it is not: so it moves to another queue, and is
    /// never in both or in none.
    pub fn settle(mut self, entry: Entry) -> Self {
        self.settles.push(entry);
        self
    }

    /// Gives back the entries that were to be settled; nothing is written.
    pub fn into_entries(self) -> Vec<Entry> {
        self.settles
    }
}

impl Admission {
    /// Writes; returns once it is on disk. Dropping the future leaves the append in the log as a whole or not at all.
    ///
    /// # Errors
    /// The disk refused, or the log is closed; nothing of it is in the log.
    pub async fn write(self) -> Result<(), AppendError> {
        self.write_or_return().await.map_err(|(error, _)| error)
    }

    /// The same; when nothing was written, the entries that were to be settled come back, still taken.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn write_or_return(mut self) -> Result<(), (AppendError, Vec<Entry>)> {
        let bytes: usize = self.puts.iter().map(|put| put.payload.len()).sum();
        let steps = u32::try_from(bytes.div_ceil(STEP)).unwrap_or(u32::MAX).clamp(1, self.shared.pending_steps);
        let pending = Arc::clone(&self.shared.pending);
        let Ok(waiting) = pending.acquire_many_owned(steps).await else {
            return Err((AppendError::Closed, std::mem::take(&mut self.settles)));
        };
        let (done, answer) = oneshot::channel();
        let settles = self.settles.iter().filter_map(|entry| Some((entry.slot, entry.item.as_ref()?.offset))).collect();
        let job = Job { puts: std::mem::take(&mut self.puts), settles, done: Some(done), waiting: Some(waiting) };
        if let Err(back) = self.shared.ends.inbox.submit(job) {
            self.puts = back.puts;
            return Err((AppendError::Closed, std::mem::take(&mut self.settles)));
        }
        if let Err(error) = answer.await.unwrap_or(Err(AppendError::Closed)) {
            return Err((error, std::mem::take(&mut self.settles)));
        }
        // The writer has settled them together with the append.
        self.settles.iter_mut().for_each(|entry| entry.item = None);
        Ok(())
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.puts.is_empty() {
            return;
        }
        let mut index = self.shared.index.lock();
        for put in &self.puts {
            index.release(put.slot, put.cost);
        }
        index.room.notify_waiters();
    }
}

impl Queue {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes the oldest entries, as many as are in memory and fit the limits; none when there are none, when too many
    /// are in flight, or when they have to be read first: [`Queue::arrived`] waits for that.
    pub fn take(&self, limits: Limits) -> Vec<Entry> {
        let mut index = self.shared.index.lock();
        let taken = index.take(self.slot, limits);
        let ask = taken.must_read || index.takeable(self.slot) == Takeable::OnDisk;
        drop(index);
        if ask {
            self.shared.ends.wanted.ask(self.slot);
        }
        let entry = |item| Entry { shared: Arc::clone(&self.shared), slot: self.slot, item: Some(item) };
        taken.items.into_iter().map(entry).collect()
    }

    /// Returns when there is something to take. Cancel-safe; several may wait, and all are woken.
    pub async fn arrived(&self) {
        loop {
            let arrivals = {
                let index = self.shared.index.lock();
                index.queues.get(self.slot).map(|queue| Arc::clone(&queue.arrivals)).unwrap_or_default()
            };
            let arrival = arrivals.notified();
            match self.shared.index.lock().takeable(self.slot) {
                Takeable::Now => return,
                Takeable::OnDisk => self.shared.ends.wanted.ask(self.slot),
                Takeable::Nothing => {}
            }
            arrival.await;
        }
    }

    /// Nobody uses it any more: its entries are kept, and it is listed as not declared until it is taken into use again.
    pub fn retire(&self) {
        if let Some(queue) = self.shared.index.lock().queues.get_mut(self.slot) {
            queue.declared = false;
        }
    }

    /// Its numbers at this moment.
    pub fn stats(&self) -> QueueStats {
        let index = self.shared.index.lock();
        index.queues.get(self.slot).map(|queue| queue.stats(writer::now())).unwrap_or_default()
    }
}

impl Entry {
    /// What was appended.
    pub fn payload(&self) -> Bytes {
        self.item.as_ref().map(|item| item.payload.clone()).unwrap_or_default()
    }

    /// Its place in its queue: later appends have higher ones, not always the next.
    pub fn offset(&self) -> u64 {
        self.item.as_ref().map_or(0, |item| item.offset)
    }

    /// When it was appended, in milliseconds since 1970.
    pub fn appended(&self) -> u64 {
        self.item.as_ref().map_or(0, |item| item.appended)
    }

    /// It is delivered. That is on disk a moment later (`ack_interval`); a crash before repeats the entry.
    pub fn settle(self) {
        Self::settle_all(vec![self]);
    }

    /// The same for many at a time, which costs less.
    pub fn settle_all(mut entries: Vec<Self>) {
        let is_same = |a: &Self, b: &Self| a.slot == b.slot && Arc::ptr_eq(&a.shared, &b.shared);
        for of_one in entries.chunk_by_mut(is_same) {
            // There are no empty ones.
            let Some((shared, slot)) = of_one.first().map(|entry| (Arc::clone(&entry.shared), entry.slot)) else {
                continue;
            };
            // What they held is let go behind the lock.
            let offsets = of_one.iter().filter_map(|entry| Some(entry.item.as_ref()?.offset));
            shared.index.lock().settle_all(slot, offsets);
            of_one.iter_mut().for_each(|entry| entry.item = None);
            shared.ends.inbox.upkeep();
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            self.shared.index.lock().give_back(self.slot, item);
        }
    }
}
