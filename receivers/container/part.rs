//! What container runtimes make of a line: parts with a time and a stream.

use bytes::Bytes;
use jiff::Timestamp;

/// Content that Docker puts into one part of a longer line.
pub const PART_BYTES: usize = 16 * 1024;

/// Where a container wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    /// `stdout` or `stderr`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// A line, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub stream: Stream,
    /// When the daemon read the line, in nanoseconds since 1970. Neither unique nor ordered.
    pub time: u64,
    /// Without the `\n`; a TTY leaves a `\r`.
    pub content: Bytes,
    /// Whether the line ends with this part.
    pub ends_line: bool,
    /// The runtime says of every part whether the line goes on, so that nothing has to be concluded from its size.
    pub told: bool,
    /// Where it was found: an offset in a file; 0 in a stream.
    pub at: u64,
}

/// Nanoseconds since 1970 of an RFC 3339 time.
pub fn parse_time(text: &[u8]) -> Option<u64> {
    let time: Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok()
}
