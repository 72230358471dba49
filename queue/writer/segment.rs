//! Beginning and ending segments.

use super::{
    Writer,
    group::{Group, Place},
};
use crate::{
    error::DiskError,
    format::{
        checksum::Salt,
        names::{self, FileKind},
        record::Kind,
        segment,
    },
    fs::{File, write_full},
    index::FileInfo,
};
use std::{
    io::{self, IoSlice},
    sync::Arc,
    time::Instant,
};

/// The segment that is written.
pub(super) struct Active {
    pub file: Arc<dyn File>,
    pub number: u64,
    pub salt: Salt,
    /// Where the next record goes.
    pub at: u64,
    /// So much is on disk. Equal to `at` whenever no group is being written.
    pub synced: u64,
    /// Where the first append goes; there it fits whatever its size.
    pub fresh: u64,
}

impl Active {
    /// For a record at `position`.
    pub fn place(&self, position: u64) -> Place {
        Place { salt: self.salt, position, synced: self.synced }
    }
}

/// How much of a new segment was done when it failed.
enum Begun {
    /// Nothing that a recovery could take for a segment.
    Nothing,
    /// It may say where the segment before it ends.
    Header,
}

impl Writer {
    /// A new segment, with room made for it within the budget. Two more segments stay free: one for a spill, one for
    /// the segment that a start after a crash begins before it can make room.
    ///
    /// # Errors
    /// The disk refused, or nothing can be freed although there should be something.
    pub(super) fn rotate(&mut self) -> Result<(), DiskError> {
        let segment = self.options.segment_bytes;
        if self.active.is_some() {
            self.make_room(3 * segment);
            if self.index.lock().budgeted_bytes() + segment > self.options.max_bytes {
                return Err(DiskError::new("make room within the budget", io::ErrorKind::StorageFull.into()));
            }
            return self.switch();
        }
        self.switch()?;
        self.make_room(2 * segment);
        if self.active.is_some() { Ok(()) } else { Err(DiskError::new("begin a segment", io::ErrorKind::Other.into())) }
    }

    /// Goes on in a new segment.
    ///
    /// # Errors
    /// The disk refused. The old segment can be used as before, if there still is one.
    pub(super) fn switch(&mut self) -> Result<(), DiskError> {
        let number = self.next_number;
        self.next_number += 1;
        let name = names::name(FileKind::Segment, number);
        match self.begin(number, &name) {
            Ok(active) => {
                let size = self.options.segment_bytes.max(active.at);
                let info =
                    FileInfo { kind: FileKind::Segment, size, end: active.at, live: 0, live_bytes: 0, sealed: false };
                self.index.lock().add_file(number, info);
                if let Some(old) = self.active.replace(active) {
                    self.retire(old);
                }
                Ok(())
            }
            Err((begun, error)) => {
                let mut index = self.index.lock();
                index.counts.write_errors += 1;
                index.cursors_failed();
                drop(index);
                let gone = match self.fs.remove(&name) {
                    Ok(()) => self.fs.sync_names().is_ok(),
                    Err(error) => error.kind() == io::ErrorKind::NotFound,
                };
                // If the new file comes back after a crash it claims that the old one ends here; so it must.
                if !gone
                    && matches!(begun, Begun::Header)
                    && let Some(old) = self.active.take()
                {
                    self.retire(old);
                }
                Err(DiskError::new("begin a segment", error))
            }
        }
    }

    /// Makes the file of a segment, with its head, durable.
    fn begin(&mut self, number: u64, name: &str) -> Result<Active, (Begun, io::Error)> {
        let nothing = |error| (Begun::Nothing, error);
        let file = self.fs.create(name).map_err(nothing)?;
        file.allocate(self.options.segment_bytes).map_err(nothing)?;
        let previous = self.active.as_ref().map(|active| (active.number, active.at)).or(self.previous);
        let header = segment::Header { log: self.log, kind: FileKind::Segment, number, previous }.encode();
        let salt = Salt::new(&self.log, number);
        let mut group = Group::default();
        let mut index = self.index.lock();
        let sequence = index.sequence;
        let pieces = index.all_cursors();
        drop(index);
        let last = pieces.len().saturating_sub(1);
        for (position, piece) in pieces.into_iter().enumerate() {
            let kind = if position == last { Kind::LastCursors } else { Kind::Cursors };
            let at = segment::HEADER as u64 + group.bytes;
            group.push(Place { salt, position: at, synced: 0 }, kind, sequence, piece, &[]);
        }
        let mut parts = vec![IoSlice::new(&header)];
        parts.append(&mut group.slices());
        let before = Instant::now();
        let durable = write_full(&*file, &mut parts, 0).and_then(|()| file.sync()).and_then(|()| self.fs.sync_names());
        self.index.lock().counts.syncs.observe(before.elapsed());
        durable.map_err(|error| (Begun::Header, error))?;
        let at = segment::HEADER as u64 + group.bytes;
        self.index.lock().counts.written_bytes += at;
        Ok(Active { file, number, salt, at, synced: at, fresh: at })
    }

    /// Ends a segment where it was synced last. What lies behind was refused.
    pub(super) fn retire(&mut self, old: Active) {
        // Only room is at stake: the next segment says where this one ends.
        let size = match old.file.truncate(old.synced) {
            Ok(()) => old.synced,
            Err(_) => old.file.size().unwrap_or(self.options.segment_bytes),
        };
        self.previous = Some((old.number, old.synced));
        self.index.lock().seal(old.number, size);
    }
}
