//! Checksums that hold in one place only.
//!
//! Promise: bytes that are right elsewhere are wrong here. Every CRC32C starts from a salt of the log's secret id, the
//! file's number and the position, so a stale block, a record of another file, or a record that a sender has put into
//! its payload is never taken for one of ours when the scanner looks for the next record behind a damage.

use crc32c::{crc32c, crc32c_append};

/// Random identity of a log, the same in all of its files.
pub type LogId = [u8; 16];

/// What the checksums of one file start from.
#[derive(Clone, Copy, Debug)]
pub struct Salt(u32);

impl Salt {
    /// The salt of file `number` of a log.
    pub fn new(log: &LogId, number: u64) -> Self {
        Self(crc32c_append(crc32c(log), &number.to_le_bytes()))
    }

    /// Where the checksum of the record at `position` starts.
    pub fn at(self, position: u64) -> u32 {
        crc32c_append(self.0, &position.to_le_bytes())
    }
}
