//! File names: `0000000000000012.segment` is written by appends and shared by all queues, `0000000000000013.spill`
//! holds what one queue still needs of segments that are gone, `.tmp` is a spill that is not finished.

use super::checksum::LogId;
use std::fmt::Write;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Appends, in order, of all queues.
    Segment,
    /// Entries of one queue that were moved out of segments.
    Spill,
}

impl FileKind {
    fn ending(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Spill => "spill",
        }
    }
}

/// The name of a file.
pub fn name(kind: FileKind, number: u64) -> String {
    format!("{number:016}.{}", kind.ending())
}

/// The name a spill has until it is whole.
pub fn unfinished(number: u64) -> String {
    format!("{number:016}.tmp")
}

/// What a name stands for; `None` is not ours.
pub fn parse(name: &str) -> Option<(FileKind, u64)> {
    let (digits, ending) = name.split_once('.')?;
    let kind = [FileKind::Segment, FileKind::Spill].into_iter().find(|kind| kind.ending() == ending)?;
    number(digits).map(|number| (kind, number))
}

/// Whether this was a spill that somebody was writing.
pub fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(".tmp").is_some_and(|digits| number(digits).is_some())
}

fn number(digits: &str) -> Option<u64> {
    if digits.len() != 16 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// The name of the empty file that says which log this is.
pub fn identity(log: &LogId) -> String {
    let mut name = String::with_capacity(35);
    for byte in log {
        let _ = write!(name, "{byte:02x}");
    }
    name + ".id"
}

/// Which log a name stands for.
pub fn parse_identity(name: &str) -> Option<LogId> {
    let digits = name.strip_suffix(".id").filter(|digits| digits.len() == 32 && digits.is_ascii())?;
    let mut log = LogId::default();
    for (index, byte) in log.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    (identity(&log) == name).then_some(log)
}
