//! Reading a file record by record, past whatever is damaged.
//!
//! Promises: a damaged body costs its record, a damaged header costs what lies before the next valid one; every byte
//! is either in a record, in a reported [`Step::Damage`], or a zero at the end; memory is one window, or one record
//! where that is larger. A search ends in time that is linear in the file.

use crate::{
    format::{
        checksum::Salt,
        record::{self, ALIGN, Header, Kind},
        segment,
    },
    fs::{File, read_full, write_full},
};
use std::{
    io::{self, IoSlice},
    sync::Arc,
};

/// So much is read at once.
const WINDOW: usize = 256 * 1024;

/// What comes next in a file.
#[derive(Debug)]
pub enum Step<'s> {
    /// A whole record at `at`.
    Record { at: u64, header: Header, body: &'s [u8] },
    /// Bytes that belong to no valid record.
    Damage { from: u64, to: u64 },
    /// Nothing but zeros from here on.
    End,
}

/// Makes a record of what lies between two records and is none, so that it is not taken for damage later.
///
/// # Errors
/// The file cannot be read or written.
pub fn cover(file: &dyn File, salt: Salt, from: u64, to: u64) -> io::Result<()> {
    let Some(size) = to.checked_sub(from + record::HEADER as u64) else { return Ok(()) };
    let Ok(body) = u32::try_from(size) else { return Ok(()) };
    let mut bytes = vec![0; body as usize];
    read_full(file, &mut bytes, from + record::HEADER as u64)?;
    let header = Header { kind: Kind::Hole, body, sequence: 0, synced: 0 };
    let head = header.encode(salt, from, std::iter::once(&bytes[..]));
    write_full(file, &mut [IoSlice::new(&head)], from)
}

/// Goes through a file from a position to an end.
pub struct Scanner {
    file: Arc<dyn File>,
    salt: Salt,
    at: u64,
    end: u64,
    window: Vec<u8>,
    /// Where the window starts in the file.
    base: u64,
}

enum Found {
    Record(Header),
    Damage(u64),
    End,
}

impl Scanner {
    /// Scans `file` from `at`, a multiple of 8, up to `end`, or up to the end of the file when that comes first.
    pub fn new(file: Arc<dyn File>, salt: Salt, at: u64, end: u64) -> Self {
        let at = at.max(segment::HEADER as u64);
        Self { file, salt, at, end, window: Vec::new(), base: at }
    }

    /// The next record, damage, or the end.
    ///
    /// # Errors
    /// The file cannot be read; calling again tries again.
    pub fn step(&mut self) -> io::Result<Step<'_>> {
        let (mut at, mut found) = (self.at, self.find()?);
        while let Found::Record(header) = &found
            && header.kind == Kind::Hole
        {
            self.at = at + header.stride();
            (at, found) = (self.at, self.find()?);
        }
        Ok(match found {
            Found::End => Step::End,
            Found::Damage(to) => {
                self.at = to;
                Step::Damage { from: at, to }
            }
            Found::Record(header) => {
                self.at = at + header.stride();
                let start = self.place(at) + record::HEADER;
                let body = self.window.get(start..start + header.body as usize).unwrap_or_default();
                Step::Record { at, header, body }
            }
        })
    }

    fn find(&mut self) -> io::Result<Found> {
        let at = self.at;
        if at >= self.end || self.load(at, record::HEADER)? == 0 {
            return Ok(Found::End);
        }
        let start = self.place(at);
        let head = self.window.get(start..).unwrap_or_default();
        let Some((header, sum)) = Header::decode(head, self.salt, at) else {
            return self.resynchronise(at);
        };
        let whole = record::HEADER + header.body as usize;
        if at + whole as u64 > self.end || self.load(at, whole)? < whole {
            return self.resynchronise(at);
        }
        let start = self.place(at) + record::HEADER;
        let body = self.window.get(start..start + header.body as usize).unwrap_or_default();
        Ok(if sum.matches(body) { Found::Record(header) } else { Found::Damage(at + header.stride()) })
    }

    /// Looks for the next valid header behind `from`.
    fn resynchronise(&mut self, from: u64) -> io::Result<Found> {
        let (mut at, mut zeros) = (from, true);
        loop {
            let loaded = self.load(at, record::HEADER)?;
            if at >= self.end || loaded == 0 {
                return Ok(if zeros { Found::End } else { Found::Damage(self.end.min(at)) });
            }
            let start = self.place(at);
            let word = self.window.get(start..start + loaded.min(ALIGN as usize)).unwrap_or_default();
            if at != from
                && word.starts_with(&record::MAGIC)
                && Header::decode(self.window.get(start..).unwrap_or_default(), self.salt, at).is_some()
            {
                return Ok(Found::Damage(at));
            }
            zeros &= word.iter().all(|byte| *byte == 0);
            at += word.len() as u64;
        }
    }

    /// Makes `size` bytes from `at` part of the window; returns how many of them there are.
    fn load(&mut self, at: u64, size: usize) -> io::Result<usize> {
        let there = |scanner: &Self| (scanner.base + scanner.window.len() as u64).saturating_sub(at) as usize;
        if at >= self.base && (there(self) >= size || at >= self.end) {
            return Ok(there(self).min(size));
        }
        let wanted = (size.max(WINDOW) as u64).min(self.end.saturating_sub(at)) as usize;
        if at >= self.base && there(self) >= wanted {
            return Ok(there(self).min(size));
        }
        // Bytes already here are moved, not read again.
        let kept = if at >= self.base { self.place(at).min(self.window.len()) } else { self.window.len() };
        self.window.drain(..kept);
        self.base = at;
        let have = self.window.len();
        self.window.resize(wanted, 0);
        let read = match self.window.get_mut(have..) {
            Some(rest) => read_full(&*self.file, rest, at + have as u64),
            None => Ok(0),
        };
        self.window.truncate(have + read.as_ref().map_or(0, |read| *read));
        read?;
        Ok(self.window.len().min(size))
    }

    /// Where `at` lies in the window.
    fn place(&self, at: u64) -> usize {
        at.saturating_sub(self.base) as usize
    }
}
