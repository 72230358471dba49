//! The frame of a record: 32 bytes, then the body, then zeros up to the next multiple of 8.
//!
//! The header has a checksum of its own, so that a damaged body can be stepped over exactly.

use super::{checksum::Salt, field};
use crc32c::crc32c_append;

/// Size of a record's header in bytes.
pub const HEADER: usize = 32;
/// Records start at multiples of this.
pub const ALIGN: u64 = 8;
/// What every record starts with.
pub const MAGIC: [u8; 4] = *b"\xF5LqR";

/// What a body is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Entries and the acknowledgements since the record before.
    Commit,
    /// A piece of all cursors, as they are at the head of a segment.
    Cursors,
    /// The last piece of all cursors.
    LastCursors,
    /// A hole that a power cut has torn into what was never acknowledged; its body means nothing.
    Hole,
}

/// What is known of a record without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: Kind,
    /// Bytes of the body.
    pub body: u32,
    /// Entries that the log had been given before this record, over all queues.
    pub sequence: u64,
    /// So much of this file was known to be on disk when this was written.
    pub synced: u32,
}

impl Header {
    /// The header of the record at `position`, whose body consists of `parts`.
    pub fn encode<'b>(&self, salt: Salt, position: u64, parts: impl Iterator<Item = &'b [u8]>) -> [u8; HEADER] {
        let kind: u32 = match self.kind {
            Kind::Commit => 1,
            Kind::Cursors => 2,
            Kind::LastCursors => 3,
            Kind::Hole => 4,
        };
        let mut out = [0; HEADER];
        let fields: [&[u8]; 5] = [
            &MAGIC,
            &self.body.to_le_bytes(),
            &self.sequence.to_le_bytes(),
            &self.synced.to_le_bytes(),
            &kind.to_le_bytes(),
        ];
        let mut rest = out.as_mut_slice();
        for bytes in fields {
            let (here, behind) = rest.split_at_mut(bytes.len());
            here.copy_from_slice(bytes);
            rest = behind;
        }
        let covered = out.first_chunk::<24>().map_or(&[][..], |covered| covered);
        let own = crc32c_append(salt.at(position), covered);
        let body = parts.fold(own, crc32c_append);
        let (_, sums) = out.split_at_mut(24);
        sums.copy_from_slice(&(u64::from(own) | u64::from(body) << 32).to_le_bytes());
        out
    }

    /// Reads the header of a record at `position`; `None` when there is none. With it comes what the body must add
    /// up to.
    pub fn decode(bytes: &[u8], salt: Salt, position: u64) -> Option<(Self, BodySum)> {
        if !bytes.starts_with(&MAGIC) {
            return None;
        }
        let own = crc32c_append(salt.at(position), bytes.get(..24)?);
        if own != field::u32(bytes, 24)? {
            return None;
        }
        let kind = match field::u32(bytes, 20)? {
            1 => Kind::Commit,
            2 => Kind::Cursors,
            3 => Kind::LastCursors,
            4 => Kind::Hole,
            _ => return None,
        };
        let header =
            Self { kind, body: field::u32(bytes, 4)?, sequence: field::u64(bytes, 8)?, synced: field::u32(bytes, 16)? };
        Some((header, BodySum { start: own, expected: field::u32(bytes, 28)? }))
    }

    /// Bytes from the start of this record to the start of the next.
    pub fn stride(&self) -> u64 {
        (HEADER as u64 + u64::from(self.body)).next_multiple_of(ALIGN)
    }
}

/// What a body must add up to.
#[derive(Clone, Copy, Debug)]
pub struct BodySum {
    start: u32,
    expected: u32,
}

impl BodySum {
    /// Whether this is the body that was written.
    pub fn matches(self, body: &[u8]) -> bool {
        crc32c_append(self.start, body) == self.expected
    }
}
