//! What a record says: entries that were appended, and how far queues have been acknowledged.
//!
//! Promise: decoding never trusts a number; what does not fit is `None`, whatever the checksum said.
//!
//! ```text
//! entries u32, cursors u32
//! each entry:  offset u64, appended u64 (ms since 1970), start u32, size u32, name u8+bytes
//! each cursor: next u64, below u64, ranges u32, (start u64, end u64)*, name u8+bytes
//! payloads, where `start` counts from; entries that share a payload name the same bytes
//! ```

use super::field;

/// An entry without its payload's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryRow<'b> {
    pub queue: &'b str,
    pub offset: u64,
    /// When it was appended, in milliseconds since 1970.
    pub appended: u64,
    pub payload: &'b [u8],
    /// Where the payload starts in the body.
    pub start: usize,
}

/// How far a queue has been acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorRow<'b> {
    pub queue: &'b str,
    /// The offset that the next entry was to get.
    pub next: u64,
    /// All offsets below are done.
    pub below: u64,
    /// Done beyond that, as half-open ranges.
    pub ranges: Vec<(u64, u64)>,
}

/// A decoded body.
#[derive(Debug, Default)]
pub struct Body<'b> {
    pub entries: Vec<EntryRow<'b>>,
    pub cursors: Vec<CursorRow<'b>>,
}

/// What one entry adds to a file beside its payload and its queue's name, at most: a record's header and counts, a
/// row, and the padding.
pub const ENTRY_OVERHEAD: u64 = 80;

/// Writes the part of a body that comes before the payloads.
#[derive(Debug)]
pub struct Tables {
    bytes: Vec<u8>,
    entries: u32,
    cursors: u32,
}

impl Tables {
    /// Appends to `bytes`, whose capacity is used again.
    pub fn new(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        bytes.extend_from_slice(&[0; 8]);
        Self { bytes, entries: 0, cursors: 0 }
    }

    /// Adds an entry whose payload will stand at `start` of the payloads. All entries come before the first cursor.
    pub fn entry(&mut self, queue: &str, offset: u64, appended: u64, start: u32, size: u32) {
        self.entries += 1;
        self.bytes.extend_from_slice(&offset.to_le_bytes());
        self.bytes.extend_from_slice(&appended.to_le_bytes());
        self.bytes.extend_from_slice(&start.to_le_bytes());
        self.bytes.extend_from_slice(&size.to_le_bytes());
        self.name(queue);
    }

    /// Adds a cursor.
    pub fn cursor(&mut self, queue: &str, next: u64, below: u64, ranges: impl Iterator<Item = (u64, u64)>) {
        self.cursors += 1;
        self.bytes.extend_from_slice(&next.to_le_bytes());
        self.bytes.extend_from_slice(&below.to_le_bytes());
        let counted = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        let mut count: u32 = 0;
        for (start, end) in ranges {
            count += 1;
            self.bytes.extend_from_slice(&start.to_le_bytes());
            self.bytes.extend_from_slice(&end.to_le_bytes());
        }
        if let Some(place) = self.bytes.get_mut(counted..counted + 4) {
            place.copy_from_slice(&count.to_le_bytes());
        }
        self.name(queue);
    }

    /// Names are checked to be at most 255 bytes when a queue is declared.
    fn name(&mut self, name: &str) {
        let name = name.as_bytes();
        let size = u8::try_from(name.len()).unwrap_or(u8::MAX);
        self.bytes.push(size);
        self.bytes.extend(name.iter().take(usize::from(size)));
    }

    /// Bytes so far.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes.
    pub fn finish(mut self) -> Vec<u8> {
        if let Some(counts) = self.bytes.first_chunk_mut::<8>() {
            *counts = (u64::from(self.entries) | u64::from(self.cursors) << 32).to_le_bytes();
        }
        self.bytes
    }
}

impl<'b> Body<'b> {
    /// Decodes a body; `None` when it contradicts itself.
    pub fn decode(bytes: &'b [u8]) -> Option<Self> {
        let (entries, cursors) = (field::u32(bytes, 0)?, field::u32(bytes, 4)?);
        let mut at = 8;
        let mut rows = Vec::new();
        for _ in 0..entries {
            let (offset, appended) = (field::u64(bytes, at)?, field::u64(bytes, at + 8)?);
            let (start, size) = (field::u32(bytes, at + 16)?, field::u32(bytes, at + 20)?);
            let queue = name(bytes, at + 24)?;
            at += 25 + queue.len();
            rows.push((queue, offset, appended, start as usize, size as usize));
        }
        let mut body = Self::default();
        for _ in 0..cursors {
            let (next, below) = (field::u64(bytes, at)?, field::u64(bytes, at + 8)?);
            let count = field::u32(bytes, at + 16)?;
            at += 20;
            let mut ranges = Vec::new();
            for _ in 0..count {
                let (start, end) = (field::u64(bytes, at)?, field::u64(bytes, at + 8)?);
                if start >= end {
                    return None;
                }
                ranges.push((start, end));
                at += 16;
            }
            let queue = name(bytes, at)?;
            at += 1 + queue.len();
            body.cursors.push(CursorRow { queue, next, below, ranges });
        }
        for (queue, offset, appended, start, size) in rows {
            let start = at.checked_add(start)?;
            let payload = bytes.get(start..start.checked_add(size)?)?;
            body.entries.push(EntryRow { queue, offset, appended, payload, start });
        }
        Some(body)
    }
}

fn name(bytes: &[u8], at: usize) -> Option<&str> {
    let size = usize::from(*bytes.get(at)?);
    std::str::from_utf8(bytes.get(at + 1..at + 1 + size)?).ok()
}
