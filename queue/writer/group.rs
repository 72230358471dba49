//! Records that are written and synced together.
//!
//! Small payloads are copied next to their tables, so that a group of small appends is one piece; large ones are
//! written from where they are. Every payload goes through the checksum once.

use crate::{
    error::AppendError,
    format::{
        body::Tables,
        checksum::Salt,
        record::{ALIGN, HEADER, Header, Kind},
    },
    index::{Item, Slot},
};
use bytes::Bytes;
use std::{io::IoSlice, ops::Range, sync::Arc};
use tokio::sync::oneshot;

/// A payload up to this size is cheaper to copy than to hand to the kernel as a piece of its own.
const COPIED: usize = 4096;

/// One entry of an append.
#[derive(Clone, Debug)]
pub struct Put {
    pub slot: Slot,
    pub queue: Arc<str>,
    pub payload: Bytes,
    /// What was admitted for it.
    pub cost: u64,
}

/// One append: all of it is written, or nothing.
#[derive(Debug, Default)]
pub struct Job {
    pub puts: Vec<Put>,
    /// Entries that are done when this is written.
    pub settles: Vec<(Slot, u64)>,
    pub done: Option<oneshot::Sender<Result<(), AppendError>>>,
    /// Room among the appends that wait, given back when this is dropped.
    #[allow(dead_code, reason = "held for its drop")]
    pub waiting: Option<tokio::sync::OwnedSemaphorePermit>,
}

impl Job {
    /// At least what the record takes on disk.
    pub fn size(&self) -> u64 {
        // A settled entry is a cursor with one range.
        self.puts.iter().map(|put| put.cost).sum::<u64>() + 64 + self.settles.len() as u64 * 300
    }

    /// Tells whoever waits; they may be gone.
    pub fn answer(self, result: Result<(), AppendError>) {
        if let Some(done) = self.done {
            let _ = done.send(result);
        }
    }
}

enum Piece {
    /// Of the scratch bytes.
    Copied(Range<usize>),
    Whole(Bytes),
}

/// Where a record goes.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub salt: Salt,
    /// Where it starts in the file.
    pub position: u64,
    /// So much of the file is on disk.
    pub synced: u64,
}

/// An entry that has its place and is not on disk yet.
pub struct Placed {
    pub slot: Slot,
    pub at: u64,
    pub item: Item,
}

/// See the head of the module.
#[derive(Default)]
pub struct Group {
    scratch: Vec<u8>,
    tables: Vec<u8>,
    pieces: Vec<Piece>,
    /// Bytes of all records.
    pub bytes: u64,
    pub entries: Vec<Placed>,
    pub jobs: Vec<Job>,
}

impl Group {
    /// Begins the tables of a record.
    pub fn tables(&mut self) -> Tables {
        Tables::new(std::mem::take(&mut self.tables))
    }

    /// Adds a record.
    pub fn push(&mut self, place: Place, kind: Kind, sequence: u64, tables: Vec<u8>, payloads: &[Bytes]) {
        let body = tables.len() + payloads.iter().map(Bytes::len).sum::<usize>();
        let header = Header {
            kind,
            // Both are below the largest segment, which is 1 GiB.
            body: u32::try_from(body).unwrap_or(u32::MAX),
            sequence,
            synced: u32::try_from(place.synced).unwrap_or(u32::MAX),
        };
        let parts = std::iter::once(tables.as_slice()).chain(payloads.iter().map(|payload| &payload[..]));
        let head = header.encode(place.salt, place.position, parts);
        self.copy(&head);
        self.copy(&tables);
        for payload in payloads {
            if payload.len() <= COPIED {
                self.copy(payload);
            } else {
                self.pieces.push(Piece::Whole(payload.clone()));
            }
        }
        let size = (HEADER + body) as u64;
        let padding = size.next_multiple_of(ALIGN) - size;
        self.copy([0; ALIGN as usize].get(..padding as usize).unwrap_or_default());
        self.bytes += header.stride();
        self.tables = tables;
    }

    fn copy(&mut self, bytes: &[u8]) {
        let start = self.scratch.len();
        self.scratch.extend_from_slice(bytes);
        let end = self.scratch.len();
        match self.pieces.last_mut() {
            Some(Piece::Copied(range)) => range.end = end,
            _ => self.pieces.push(Piece::Copied(start..end)),
        }
    }

    /// What to write.
    pub fn slices(&self) -> Vec<IoSlice<'_>> {
        self.pieces
            .iter()
            .map(|piece| {
                IoSlice::new(match piece {
                    Piece::Copied(range) => self.scratch.get(range.clone()).unwrap_or_default(),
                    Piece::Whole(payload) => payload,
                })
            })
            .collect()
    }

    /// Empty again, with its memory, unless that has become much.
    pub fn clear(&mut self) {
        const KEPT: usize = 1 << 20;
        self.scratch.clear();
        self.scratch.shrink_to(KEPT);
        self.tables.shrink_to(KEPT);
        self.pieces.clear();
        self.bytes = 0;
        self.entries.clear();
        self.jobs.clear();
    }
}
