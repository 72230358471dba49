//! Writing: appends in groups, one sync for all that wait.
//!
//! Promises
//! - An append is answered with success only after a sync that covers it; with an error it is not in the log and its
//!   offsets are never used again.
//! - **A sync is never tried twice.** After a failed one the kernel may have dropped the pages and say yes the next
//!   time, so the segment ends at its last good sync, everybody who waited is refused, and the next append begins a
//!   new segment in a new file. A failed or short write ends the segment in the same way, so that no position is ever
//!   written twice.
//! - A segment begins with all cursors, synced together with its name before the first append; so any older file can
//!   be deleted as soon as nothing lives in it, and a deletion waits until what was done is on disk.
//! - When the disk is full, appends are refused and the tail kept free in every segment still takes the
//!   acknowledgements that free space.
//!
//! One thread owns a writer; everything here blocks.

mod group;
mod reclaim;
mod segment;
mod spill;

pub use group::{Job, Put};

use crate::{
    error::{AppendError, DiskError},
    format::{
        checksum::LogId,
        record::{self, Kind},
    },
    fs::{Fs, write_full},
    index::{Index, Item},
    options::Options,
};
use bytes::Bytes;
use group::{Group, Placed};
use parking_lot::Mutex;
use segment::Active;
use std::{
    io,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// See the head of the module.
pub struct Writer {
    fs: Arc<dyn Fs>,
    index: Arc<Mutex<Index>>,
    options: Options,
    log: LogId,
    /// The number of the next file.
    next_number: u64,
    /// The segment that was written last, and how much of it counts.
    previous: Option<(u64, u64)>,
    active: Option<Active>,
    group: Group,
    /// What came of appends that have not been answered.
    answers: Vec<(Job, Result<(), AppendError>)>,
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

impl Writer {
    /// A writer that begins with a new segment, as soon as there is something to write.
    pub fn new(
        fs: Arc<dyn Fs>,
        index: Arc<Mutex<Index>>,
        options: Options,
        log: LogId,
        next_number: u64,
        previous: Option<(u64, u64)>,
    ) -> Self {
        Self {
            fs,
            index,
            options,
            log,
            next_number,
            previous,
            active: None,
            group: Group::default(),
            answers: Vec::new(),
        }
    }

    /// Writes appends that were admitted, and answers each.
    pub fn commit(&mut self, jobs: Vec<Job>) {
        self.write(jobs);
        self.answer();
    }

    /// Writes appends that were admitted; [`Writer::answer`] is to follow.
    pub fn write(&mut self, jobs: Vec<Job>) {
        let mut refused: Option<DiskError> = None;
        for job in jobs {
            if refused.is_none()
                && let Err(error) = self.make_place(job.size())
            {
                refused = Some(error);
            }
            match &refused {
                None => self.place(job),
                Some(error) => self.refuse(job, error),
            }
        }
        self.flush();
    }

    /// Answers what was written.
    pub fn answer(&mut self) {
        self.answers.drain(..).for_each(|(job, result)| job.answer(result));
    }

    /// Writes what was done since the last time.
    ///
    /// # Errors
    /// The disk refused; it stays to be done.
    pub fn write_acknowledgements(&mut self) -> Result<(), DiskError> {
        let dirty = self.index.lock().dirty;
        if dirty { self.persist_cursors(self.options.reserve()) } else { Ok(()) }
    }

    /// The last words of a writer: all cursors, so that the next start knows where every queue ended.
    pub fn close(&mut self) {
        self.flush();
        let Some(active) = &self.active else {
            let _ = self.write_acknowledgements();
            return;
        };
        let mut index = self.index.lock();
        let (pieces, sequence) = (index.all_cursors(), index.sequence);
        drop(index);
        for piece in pieces {
            let at = active.at + self.group.bytes;
            self.group.push(active.place(at), Kind::Cursors, sequence, piece, &[]);
        }
        self.flush();
        if let Some(active) = self.active.take() {
            self.retire(active);
        }
    }

    /// Ends the segment if one was begun; for tools that may not have written anything.
    pub fn finish(&mut self) {
        if self.active.is_some() {
            self.close();
        }
    }

    /// A place for a record of at most `size` bytes behind the group.
    fn make_place(&mut self, size: u64) -> Result<(), DiskError> {
        let limit = self.options.segment_bytes - self.options.reserve();
        if let Some(active) = &self.active {
            let at = active.at + self.group.bytes;
            if at + size <= limit || at == active.fresh {
                return Ok(());
            }
        }
        self.flush();
        self.rotate()
    }

    /// Gives an append its offsets and its place in the group.
    fn place(&mut self, job: Job) {
        let Some(active) = &self.active else { return };
        let at = active.at + self.group.bytes;
        let appended = now();
        let mut tables = self.group.tables();
        let mut payloads: Vec<Bytes> = Vec::with_capacity(job.puts.len());
        let (mut start, mut size) = (0, 0);
        let mut index = self.index.lock();
        let sequence = index.sequence;
        for put in &job.puts {
            // Queues that are fed the same bytes share them on disk.
            let shared = payloads.last().is_some_and(|last| {
                std::ptr::eq(last.as_ptr(), put.payload.as_ptr()) && last.len() == put.payload.len()
            });
            if !shared {
                start = size;
                size += put.payload.len();
                payloads.push(put.payload.clone());
            }
            let offset = index.assign(put.slot);
            let bytes = u32::try_from(put.payload.len()).unwrap_or(u32::MAX);
            tables.entry(&put.queue, offset, appended, u32::try_from(start).unwrap_or(u32::MAX), bytes);
            let item = Item { offset, appended, payload: put.payload.clone(), cost: put.cost };
            self.group.entries.push(Placed { slot: put.slot, at, item });
        }
        for (slot, offset) in &job.settles {
            if let Some(queue) = index.queues.get(*slot) {
                tables.cursor(&queue.name, queue.next, queue.acked.below(), [(*offset, offset + 1)].into_iter());
            }
        }
        drop(index);
        self.group.push(active.place(at), Kind::Commit, sequence, tables.finish(), &payloads);
        self.group.jobs.push(job);
    }

    fn refuse(&mut self, job: Job, error: &DiskError) {
        let mut index = self.index.lock();
        for put in &job.puts {
            index.release(put.slot, put.cost);
        }
        index.counts.failed_appends += 1;
        index.counts.failing = true;
        index.room.notify_waiters();
        drop(index);
        self.answers.push((job, Err(AppendError::Disk(error.clone()))));
    }

    /// Writes and syncs the group; the answers are ready then.
    fn flush(&mut self) {
        if self.group.bytes == 0 {
            return;
        }
        self.add_acknowledgements();
        let written = self.write_group();
        let mut group = std::mem::take(&mut self.group);
        let mut index = self.index.lock();
        match written {
            Ok(()) => {
                if let Some(active) = &mut self.active {
                    active.at += group.bytes;
                    active.synced = active.at;
                    index.grow(active.number, active.at);
                    for Placed { slot, at, item } in group.entries.drain(..) {
                        index.publish(slot, active.number, at, item);
                    }
                }
                index.counts.appends += group.jobs.len() as u64;
                index.counts.failing &= group.jobs.is_empty();
                index.counts.written_bytes += group.bytes;
                for (slot, offset) in group.jobs.iter().flat_map(|job| &job.settles) {
                    index.settle(*slot, *offset);
                }
                drop(index);
                self.answers.extend(group.jobs.drain(..).map(|job| (job, Ok(()))));
            }
            Err(error) => {
                index.counts.write_errors += 1;
                index.counts.failed_appends += group.jobs.len() as u64;
                index.counts.failing |= !group.jobs.is_empty();
                for Placed { slot, item, .. } in group.entries.drain(..) {
                    index.burn(slot, item.offset, item.cost);
                }
                // What the group said of cursors is lost with it; the next segment begins with all of them.
                index.dirty = true;
                drop(index);
                if let Some(active) = self.active.take() {
                    self.retire(active);
                }
                let refused = |job| (job, Err(AppendError::Disk(error.clone())));
                self.answers.extend(group.jobs.drain(..).map(refused));
            }
        }
        group.clear();
        self.group = group;
    }

    /// What was done since the last time rides along, if there is room for it.
    fn add_acknowledgements(&mut self) {
        let Some(active) = &self.active else { return };
        let at = active.at + self.group.bytes;
        let mut index = self.index.lock();
        if !index.dirty || at + index.dirty_size() > self.options.segment_bytes {
            return;
        }
        let mut tables = self.group.tables();
        index.drain_dirty(&mut tables);
        let sequence = index.sequence;
        drop(index);
        self.group.push(active.place(at), Kind::Commit, sequence, tables.finish(), &[]);
    }

    fn write_group(&mut self) -> Result<(), DiskError> {
        let Some(active) = &mut self.active else {
            return Err(DiskError::new("write", io::ErrorKind::NotFound.into()));
        };
        let ahead = active.zeros_behind(self.group.bytes, self.options.segment_bytes);
        let mut parts = self.group.slices();
        parts.extend(segment::zeros(ahead));
        write_full(&*active.file, &mut parts, active.at)
            .map_err(|error| DiskError::new("write to the segment", error))?;
        active.zeroed = active.zeroed.max(active.at + self.group.bytes + ahead);
        let before = Instant::now();
        let synced = active.file.sync();
        self.index.lock().counts.syncs.observe(before.elapsed());
        synced.map_err(|error| DiskError::new("sync the segment", error))
    }

    /// Writes and syncs what was done, into the segment up to its end less `kept`, or at the head of a new one.
    fn persist_cursors(&mut self, kept: u64) -> Result<(), DiskError> {
        self.flush();
        if let Some(active) = &self.active {
            let mut index = self.index.lock();
            if !index.dirty {
                return Ok(());
            }
            let at = active.at;
            if at + index.dirty_size() + kept <= self.options.segment_bytes {
                let mut tables = self.group.tables();
                index.drain_dirty(&mut tables);
                let sequence = index.sequence;
                drop(index);
                self.group.push(active.place(at), Kind::Commit, sequence, tables.finish(), &[]);
                self.flush();
                return match &self.active {
                    Some(_) => Ok(()),
                    None => Err(DiskError::new("write acknowledgements", io::ErrorKind::Other.into())),
                };
            }
        }
        self.switch()
    }
}

impl Index {
    /// At least what [`Index::drain_dirty`] adds to a file.
    fn dirty_size(&self) -> u64 {
        let rows = self.queues.iter().filter(|queue| !queue.dirty.is_empty());
        rows.map(|queue| 24 + queue.name.len() as u64 + queue.dirty.gaps() as u64 * 16).sum::<u64>()
            + record::HEADER as u64
            + 16
    }
}
