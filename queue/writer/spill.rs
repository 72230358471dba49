//! Moving what still lives in the oldest segment out of it, a spill for each queue.
//!
//! Promises: a spill has its name only when it is whole and synced, and the segment is deleted only after that; a crash
//! in between leaves entries twice, and recovery takes one. Small spills of a queue are joined, so that their number
//! is bounded. Memory is one record.

use super::{
    Writer,
    group::{Group, Place},
};
use crate::{
    format::{
        body::Body,
        checksum::Salt,
        names::{self, FileKind},
        record::Kind,
        segment,
    },
    fs::{File, write_full},
    index::{FileInfo, Moved, Slot, cost},
    scan::{Scanner, Step},
};
use bytes::Bytes;
use std::{
    io::{self, IoSlice},
    sync::Arc,
};

/// A spill that is being written.
struct Spill<'w> {
    writer: &'w Writer,
    queue: Arc<str>,
    file: Arc<dyn File>,
    salt: Salt,
    at: u64,
    waiting: Vec<(u64, u64, Bytes)>,
    bytes: usize,
    moved: Vec<Moved>,
}

impl Writer {
    /// Moves all that lives in a segment.
    pub(super) fn spill(&mut self, segment: u64) -> io::Result<()> {
        let slots = self.index.lock().queues_in(segment);
        slots.into_iter().try_for_each(|slot| self.spill_queue(slot, segment))
    }

    fn spill_queue(&mut self, slot: Slot, segment: u64) -> io::Result<()> {
        let number = self.next_number;
        self.next_number += 1;
        let join = self.index.lock().joinable_spill(slot, segment, self.options.spill_bytes());
        let from: Vec<u64> = join.into_iter().chain([segment]).collect();
        let unfinished = names::unfinished(number);
        let done = self.write_spill(slot, number, &unfinished, &from);
        let (moved, size) = done.inspect_err(|_| {
            let _ = self.fs.remove(&unfinished);
        })?;
        let info = FileInfo { kind: FileKind::Spill, size, end: size, live: 0, live_bytes: 0, sealed: false };
        let mut index = self.index.lock();
        index.counts.written_bytes += size;
        index.add_file(number, info);
        index.moved(slot, &from, number, &moved);
        Ok(())
    }

    fn write_spill(&self, slot: Slot, number: u64, unfinished: &str, from: &[u64]) -> io::Result<(Vec<Moved>, u64)> {
        let file = self.fs.create(unfinished)?;
        let header = segment::Header { log: self.log, kind: FileKind::Spill, number, previous: None }.encode();
        write_full(&*file, &mut [IoSlice::new(&header)], 0)?;
        let queue = match self.index.lock().queues.get(slot) {
            Some(queue) => Arc::clone(&queue.name),
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        let mut spill = Spill {
            writer: self,
            queue,
            file,
            salt: Salt::new(&self.log, number),
            at: segment::HEADER as u64,
            waiting: Vec::new(),
            bytes: 0,
            moved: Vec::new(),
        };
        for old in from {
            spill.copy(slot, *old)?;
        }
        spill.write()?;
        let (moved, size) = (std::mem::take(&mut spill.moved), spill.at);
        spill.file.sync()?;
        self.fs.rename(unfinished, &names::name(FileKind::Spill, number))?;
        self.fs.sync_names()?;
        Ok((moved, size))
    }
}

impl Spill<'_> {
    /// Copies what lives of the queue in a file.
    fn copy(&mut self, slot: Slot, file: u64) -> io::Result<()> {
        let (info, extent) = {
            let index = self.writer.index.lock();
            (index.files.get(&file).cloned(), index.extent(slot, file))
        };
        let (Some(info), Some((at, first, end))) = (info, extent) else { return Ok(()) };
        let opened = self.writer.fs.open(&names::name(info.kind, file))?;
        let mut scanner = Scanner::new(opened, Salt::new(&self.writer.log, file), at, info.end);
        let (queue, mut expected) = (Arc::clone(&self.queue), first);
        while expected < end {
            let body = match scanner.step()? {
                Step::End => break,
                Step::Damage { .. } => continue,
                Step::Record { body, .. } => Body::decode(body).unwrap_or_default(),
            };
            for row in body.entries.iter().filter(|row| row.queue == &*queue) {
                let lives = self
                    .writer
                    .index
                    .lock()
                    .queues
                    .get(slot)
                    .is_some_and(|queue| queue.file_of(row.offset) == Some(file));
                if row.offset < expected || !lives {
                    continue;
                }
                expected = row.offset + 1;
                self.bytes += row.payload.len();
                self.waiting.push((row.offset, row.appended, Bytes::copy_from_slice(row.payload)));
                // A damaged record costs its entries, so it holds no more than a step of the index, or one entry.
                if self.bytes as u64 >= self.writer.options.span_bytes() {
                    self.write()?;
                }
            }
        }
        Ok(())
    }

    /// Writes the entries that wait as one record.
    fn write(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut group = Group::default();
        let mut tables = group.tables();
        let mut start = 0;
        let mut payloads = Vec::with_capacity(self.waiting.len());
        for (offset, appended, payload) in self.waiting.drain(..) {
            let size = u32::try_from(payload.len()).unwrap_or(u32::MAX);
            tables.entry(&self.queue, offset, appended, start, size);
            start += size;
            let cost = cost(&self.queue, payload.len());
            self.moved.push(Moved { offset, appended, cost, at: self.at });
            payloads.push(payload);
        }
        let place = Place { salt: self.salt, position: self.at, synced: 0 };
        group.push(place, Kind::Commit, 0, tables.finish(), &payloads);
        write_full(&*self.file, &mut group.slices(), self.at)?;
        self.at += group.bytes;
        self.bytes = 0;
        Ok(())
    }
}
