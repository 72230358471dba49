//! Whole lines out of parts.
//!
//! Promises: parts are joined per stream, whatever the other stream does in between; bytes are joined before they
//! are decoded, so a character on a cut survives; a line that never ends is handed out, marked, once its container
//! was quiet for [`IDLE`] (for [`CONTINUED`] where a part is certain to follow) or its stream ended; no line grows beyond `max_line` (usually [`MAX_LINE`]): the rest of it, up
//! to the next line end, is left out and the line marked as cut.
//!
//! Measured with Docker 20.10: parts have 16384 bytes of content and share the time of their line. `json-file` replaces each
//! byte of a character that lies on a cut by U+FFFD, which makes a part longer and cannot be repaired here. `local`
//! (also the cache in front of remote drivers) leaves out the line end of the last part.

use super::{PART_BYTES, Part, Stream};
use bytes::{Bytes, BytesMut};
use std::time::Duration;
use tokio::time::Instant;

/// Longest line that is handed out whole, unless a configuration says otherwise.
pub const MAX_LINE: usize = 1 << 20;
/// How long an unfinished line waits for its next part.
pub const IDLE: Duration = Duration::from_secs(1);
/// The same behind a part that says that another one follows, by its length or by a mark.
pub const CONTINUED: Duration = Duration::from_secs(60);

/// One line of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub stream: Stream,
    /// When the daemon read it, in nanoseconds since 1970.
    pub time: u64,
    /// Without the line end.
    pub content: Bytes,
    /// How many parts it came in.
    pub parts: usize,
    /// Its line end never came.
    pub incomplete: bool,
    /// It was longer than the longest line.
    pub cut: bool,
    /// Where its first part was found.
    pub at: u64,
}

/// Joins the parts of one connection.
#[derive(Debug)]
pub struct Joiner {
    /// A TTY ends lines with `\r\n`.
    tty: bool,
    /// The log driver leaves the line end of a line in parts out.
    unmarked_end: bool,
    max_line: usize,
    /// By stream: stdout, stderr.
    open: [Option<OpenLine>; 2],
}

#[derive(Debug)]
struct OpenLine {
    time: u64,
    content: BytesMut,
    last_part: usize,
    parts: usize,
    cut: bool,
    touched: Instant,
    told: bool,
    at: u64,
}

impl Joiner {
    /// A joiner for a container with or without a TTY and with this log driver.
    pub fn new(tty: bool, driver: &str) -> Self {
        let unmarked_end = !matches!(driver, "json-file" | "journald");
        Self { tty, unmarked_end, max_line: MAX_LINE, open: [None, None] }
    }

    /// A joiner for log files of containers.
    pub fn of_files(max_line: usize) -> Self {
        Self { tty: false, unmarked_end: false, max_line, open: [None, None] }
    }

    /// Takes the next part; hands out the lines it ends: its own, and an earlier one that it shows to be
    /// unfinished.
    pub fn push(&mut self, part: Part, now: Instant, mut emit: impl FnMut(Line)) {
        let Part { stream, time, content, ends_line, told, at } = part;
        let Self { tty, unmarked_end, max_line, .. } = *self;
        let slot = &mut self.open[stream as usize];
        // Only a full part is continued, and all parts of a line share its time. One of the two is enough, because
        // some log drivers cut elsewhere and some keep a time per part.
        if let Some(open) = slot.take_if(|open| !open.told && open.last_part < PART_BYTES && open.time != time) {
            emit(open.close(stream, true));
        }
        match slot {
            None if ends_line => {
                let cut = content.len() > max_line;
                let content = if cut { content.slice(..max_line) } else { content };
                let line = Line { stream, time, content, parts: 1, incomplete: false, cut, at };
                emit(line.without_return(tty));
            }
            None => {
                let mut open = OpenLine {
                    time,
                    content: BytesMut::new(),
                    last_part: 0,
                    parts: 0,
                    cut: false,
                    touched: now,
                    told,
                    at,
                };
                open.append(&content, max_line, now);
                *slot = Some(open);
            }
            Some(open) => {
                open.append(&content, max_line, now);
                if (ends_line || unmarked_end && content.len() < PART_BYTES)
                    && let Some(open) = slot.take()
                {
                    emit(open.close(stream, false).without_return(tty));
                }
            }
        }
    }

    /// The time of the oldest line that is not finished.
    pub fn oldest_open(&self) -> Option<u64> {
        self.open.iter().flatten().map(|open| open.time).min()
    }

    /// Where the first part of each stream's unfinished line was found.
    pub fn held(&self) -> [Option<u64>; 2] {
        self.open.each_ref().map(|open| open.as_ref().map(|open| open.at))
    }

    /// Bytes of unfinished lines that are in memory.
    pub fn held_bytes(&self) -> usize {
        self.open.iter().flatten().map(|open| open.content.len()).sum()
    }

    /// When an unfinished line has waited long enough, if there is one.
    pub fn idle_at(&self) -> Option<Instant> {
        self.open.iter().flatten().map(OpenLine::until).min()
    }

    /// Leaves out a time in which nobody read, so that what waits to be read is not taken for quiet.
    pub fn stalled(&mut self, time: Duration) {
        for open in self.open.iter_mut().flatten() {
            open.touched += time;
        }
    }

    /// Hands out the unfinished lines that nothing was added to for long enough.
    pub fn flush_idle(&mut self, now: Instant, emit: impl FnMut(Line)) {
        self.flush(|open| open.until() <= now, emit);
    }

    /// Hands out all unfinished lines: the stream has ended.
    pub fn flush_all(&mut self, emit: impl FnMut(Line)) {
        self.flush(|_| true, emit);
    }

    fn flush(&mut self, mut ripe: impl FnMut(&OpenLine) -> bool, mut emit: impl FnMut(Line)) {
        for (stream, slot) in Stream::ALL.into_iter().zip(&mut self.open) {
            if let Some(open) = slot.take_if(|open| ripe(open)) {
                emit(open.close(stream, true));
            }
        }
    }
}

impl Line {
    fn without_return(mut self, tty: bool) -> Self {
        if tty && self.content.last() == Some(&b'\r') {
            self.content.truncate(self.content.len() - 1);
        }
        self
    }
}

impl OpenLine {
    fn append(&mut self, content: &[u8], max_line: usize, now: Instant) {
        let room = max_line.saturating_sub(self.content.len());
        self.content.extend_from_slice(&content[..content.len().min(room)]);
        self.cut |= content.len() > room;
        self.last_part = content.len();
        self.parts += 1;
        self.touched = now;
    }

    /// When it has waited long enough.
    fn until(&self) -> Instant {
        let continues = self.told || self.last_part >= PART_BYTES;
        self.touched + if continues { CONTINUED } else { IDLE }
    }

    fn close(self, stream: Stream, incomplete: bool) -> Line {
        let Self { time, content, parts, cut, at, .. } = self;
        Line { stream, time, content: content.freeze(), parts, incomplete, cut, at }
    }
}
