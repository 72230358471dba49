//! The first 64 bytes of a file.
//!
//! Promise: magic, version and checksum stay where they are in every version to come, so that any build can say which
//! version it does not know instead of taking the file for a damaged one.

use super::{checksum::LogId, field, names::FileKind};
use crc32c::crc32c;

/// Size of the header in bytes.
pub const HEADER: usize = 64;
/// The only version there is.
pub const VERSION: u32 = 1;
const MAGIC: [u8; 8] = *b"LANNERQ\n";

/// What a file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub log: LogId,
    pub kind: FileKind,
    pub number: u64,
    /// The segment that was written before this one, and how much of it counts: what lies behind was refused.
    pub previous: Option<(u64, u64)>,
}

/// What the first bytes of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    Header(Header),
    /// Written by a build that knows more.
    Version(u32),
    /// No header, or a damaged one.
    Damaged,
}

impl Header {
    /// The bytes to write.
    pub fn encode(&self) -> [u8; HEADER] {
        let kind: u32 = match self.kind {
            FileKind::Segment => 1,
            FileKind::Spill => 2,
        };
        let (previous, counts) = self.previous.unwrap_or((u64::MAX, 0));
        let mut out = [0; HEADER];
        let fields: [&[u8]; 7] = [
            &MAGIC,
            &VERSION.to_le_bytes(),
            &kind.to_le_bytes(),
            &self.log,
            &self.number.to_le_bytes(),
            &previous.to_le_bytes(),
            &counts.to_le_bytes(),
        ];
        let mut rest = out.as_mut_slice();
        for bytes in fields {
            let (here, behind) = rest.split_at_mut(bytes.len());
            here.copy_from_slice(bytes);
            rest = behind;
        }
        let sum = crc32c(out.first_chunk::<{ HEADER - 4 }>().map_or(&[], |body| body.as_slice()));
        if let Some(last) = out.last_chunk_mut() {
            *last = sum.to_le_bytes();
        }
        out
    }

    /// Reads the first bytes of a file.
    pub fn decode(bytes: &[u8]) -> Read {
        read(bytes).unwrap_or(Read::Damaged)
    }
}

fn read(bytes: &[u8]) -> Option<Read> {
    let covered = bytes.get(..HEADER - 4)?;
    if !covered.starts_with(&MAGIC) || field::u32(bytes, HEADER - 4)? != crc32c(covered) {
        return None;
    }
    let version = field::u32(bytes, 8)?;
    if version != VERSION {
        return Some(Read::Version(version));
    }
    let kind = match field::u32(bytes, 12)? {
        1 => FileKind::Segment,
        2 => FileKind::Spill,
        _ => return None,
    };
    let previous = Some((field::u64(bytes, 40)?, field::u64(bytes, 48)?)).filter(|(number, _)| *number != u64::MAX);
    let log = *bytes.get(16..)?.first_chunk()?;
    Some(Read::Header(Header { log, kind, number: field::u64(bytes, 32)?, previous }))
}
