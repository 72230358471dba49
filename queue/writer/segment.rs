//! Beginning and ending segments, and zeros in front of what is written.
//!
//! Why zeros: room that was only set aside is marked as such, and each sync of what was written into it has to write these marks anew,
//! through the journal of the file system. Where zeros were written it writes the bytes and nothing else. For readers there is
//! no difference: room that was set aside reads as zeros as well.

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

/// Zeros are written so far ahead; a group that is larger goes without.
const AHEAD: u64 = 256 << 10;
static ZEROS: [u8; 16 << 10] = [0; 16 << 10];

/// The segment that is written.
pub(super) struct Active {
    pub file: Arc<dyn File>,
    pub number: u64,
    pub salt: Salt,
    /// Where the next record goes.
    pub at: u64,
    /// So much is on disk. Equal to `at` whenever no group is being written.
    pub synced: u64,
    /// Up to here zeros were written, or records.
    pub zeroed: u64,
    /// Where the first append goes; there it fits whatever its size.
    pub fresh: u64,
}

impl Active {
    /// For a record at `position`.
    pub fn place(&self, position: u64) -> Place {
        Place { salt: self.salt, position, synced: self.synced }
    }

    /// How many zeros go behind a group of so many bytes, in a segment of that size.
    pub fn zeros_behind(&self, group: u64, segment: u64) -> u64 {
        let end = self.at + group;
        if end <= self.zeroed || group >= AHEAD { 0 } else { AHEAD.min(segment.saturating_sub(end)) }
    }
}

/// So many zeros.
pub(super) fn zeros<'z>(count: u64) -> impl Iterator<Item = IoSlice<'z>> {
    let piece = ZEROS.len() as u64;
    let pieces = (0..count.div_ceil(piece)).map(move |number| (count - number * piece).min(piece));
    pieces.filter_map(|size| Some(IoSlice::new(ZEROS.get(..size as usize)?)))
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
        Ok(Active { file, number, salt, at, synced: at, zeroed: at, fresh: at })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{Fs, simulated::Simulated};
    use proptest::prelude::*;

    proptest! {
        /// Scenario: groups of any size, in segments that are small, large, and nearly full.
        /// Guarantee: zeros never reach beyond the segment; there are no more of them than bytes of records, but for the last
        /// ones; and so many are written as were asked for.
        #[test]
        fn zeros_go_ahead(
            segment in prop_oneof![4096u64..100_000, 1u64 << 20..4 << 20],
            groups in prop::collection::vec(8u64..2 * AHEAD, 1..60),
        ) {
            let file = Simulated::new().create("x").unwrap();
            let salt = Salt::new(&[0; 16], 1);
            let mut active = Active { file, number: 1, salt, at: 64, synced: 64, zeroed: 64, fresh: 64 };
            let (mut records, mut all) = (0, 0);
            for group in groups {
                let end = active.at + group;
                if end > segment {
                    break;
                }
                let ahead = active.zeros_behind(group, segment);
                prop_assert_eq!(zeros(ahead).map(|piece| piece.len() as u64).sum::<u64>(), ahead);
                prop_assert!(end + ahead <= segment);
                (records, all) = (records + group, all + ahead);
                prop_assert!(all <= records + AHEAD);
                active.zeroed = active.zeroed.max(end + ahead);
                active.at = end;
            }
        }
    }
}
