//! Where reading resumes, so that a reconnect neither loses nor repeats a line.
//!
//! Promises: a line is remembered only once it was accepted downstream, so what is read again after a broken
//! connection is exactly what is missing; the watermark never moves backwards; equal lines with one time are
//! counted, not folded; memory is bounded by [`MAX_REMEMBERED`] lines per container.
//!
//! The daemon's `since` compares times until the first line passes and hands out everything behind it. Times are
//! neither unique nor ordered, so a cursor asks for [`OVERLAP`] more than it needs and takes out, one by one, the
//! lines it knows, which are kept in order of arrival. A line whose clock was stepped back therefore stays known as long
//! as the lines before it may come again.

use crate::container::{Line, Stream};
use std::collections::{HashMap, VecDeque};

/// Must exceed the largest disorder of times; measured are a few milliseconds.
pub const OVERLAP: u64 = 2_000_000_000;
/// Lines remembered per container. Beyond it the oldest is forgotten and counted: it may be repeated after a
/// reconnect.
pub const MAX_REMEMBERED: usize = 1 << 16;

/// What makes two lines the same line. The digest is stable across builds and machines, so that keys can be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LineKey {
    pub time: u64,
    pub stream: Stream,
    digest: u64,
}

impl LineKey {
    /// The key of a line.
    pub fn of(line: &Line) -> Self {
        let hash = blake3::hash(&line.content);
        let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
        Self { time: line.time, stream: line.stream, digest: u64::from_le_bytes([a, b, c, d, e, f, g, h]) }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (time, rest) = number(bytes)?;
        let (digest, rest) = number(rest)?;
        let stream = Stream::ALL.into_iter().find(|stream| rest == [*stream as u8])?;
        Some(Self { time, stream, digest })
    }
}

/// The number that `bytes` begin with, and what is behind it.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*number), rest))
}

/// How far a container was read and accepted.
#[derive(Clone, Debug)]
pub struct Cursor {
    /// Lines before this are not wanted: the start of Lanner, or 0.
    floor: u64,
    /// The newest time that was accepted.
    watermark: u64,
    /// Time of the first part of a line that was only half read.
    hold: Option<u64>,
    /// What was accepted since the resume point, in order of arrival.
    accepted: VecDeque<LineKey>,
    /// How often lines were accepted in this process.
    moves: u64,
}

/// The first byte of a stored cursor.
const FORMAT: u8 = 1;
/// Bytes of a stored line: time, digest, stream.
const KEY_BYTES: usize = 17;

impl Cursor {
    /// A cursor for a container seen for the first time, reading from `floor` (nanoseconds since 1970) on.
    pub fn starting_at(floor: u64) -> Self {
        Self { floor, watermark: 0, hold: None, accepted: VecDeque::new(), moves: 0 }
    }

    /// The `since` of the next connection.
    pub fn resume_from(&self) -> u64 {
        let newest = self.hold.map_or(self.watermark, |hold| hold.min(self.watermark));
        newest.saturating_sub(OVERLAP).max(self.floor)
    }

    /// The newest accepted time; 0 when there is none.
    pub fn watermark(&self) -> u64 {
        self.watermark
    }

    /// How often lines were accepted in this process, to tell whether there is something to save.
    pub fn moves(&self) -> u64 {
        self.moves
    }

    /// The stored form: format, floor, watermark, hold (the largest number is none), then the lines.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + 3 * 8 + self.accepted.len() * KEY_BYTES);
        bytes.push(FORMAT);
        for number in [self.floor, self.watermark, self.hold.unwrap_or(u64::MAX)] {
            bytes.extend(number.to_le_bytes());
        }
        for LineKey { time, stream, digest } in &self.accepted {
            bytes.extend(time.to_le_bytes());
            bytes.extend(digest.to_le_bytes());
            bytes.push(*stream as u8);
        }
        bytes
    }

    /// Reads what [`Cursor::encode`] wrote; `None` when it is something else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (format, rest) = bytes.split_first()?;
        let (floor, rest) = number(rest)?;
        let (watermark, rest) = number(rest)?;
        let (hold, rest) = number(rest)?;
        let keys = rest.chunks_exact(KEY_BYTES);
        if *format != FORMAT || !keys.remainder().is_empty() || keys.len() > MAX_REMEMBERED {
            return None;
        }
        let accepted = keys.map(LineKey::decode).collect::<Option<_>>()?;
        Some(Self { floor, watermark, hold: Some(hold).filter(|hold| *hold != u64::MAX), accepted, moves: 0 })
    }

    /// Notes accepted lines; `hold` is the time of the oldest line that was half read behind them. Returns how
    /// many lines were forgotten to stay within [`MAX_REMEMBERED`].
    pub fn accept(&mut self, keys: impl IntoIterator<Item = LineKey>, hold: Option<u64>) -> usize {
        for key in keys {
            self.watermark = self.watermark.max(key.time);
            self.accepted.push_back(key);
        }
        self.hold = hold;
        self.moves += 1;
        let resume = self.resume_from();
        while self.accepted.front().is_some_and(|key| key.time < resume) {
            self.accepted.pop_front();
        }
        let forgotten = self.accepted.len().saturating_sub(MAX_REMEMBERED);
        self.accepted.drain(..forgotten);
        forgotten
    }

    /// What a new connection has to leave out.
    pub fn replay(&self) -> Replay {
        let mut known = HashMap::new();
        for key in &self.accepted {
            *known.entry(*key).or_insert(0) += 1;
        }
        Replay { forget_after: self.watermark + OVERLAP, expected: self.accepted.len(), known, ..Replay::default() }
    }
}

/// The first view of a connection's lines: knows which came before.
#[derive(Debug, Default)]
pub struct Replay {
    known: HashMap<LineKey, usize>,
    forget_after: u64,
    /// Known lines at the start of the connection.
    expected: usize,
    removed: usize,
    gap_judged: bool,
    /// By stream: the lines of the newest time and how often each came.
    equal: [(u64, HashMap<u64, u64>); 2],
}

/// What a connection makes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Accepted before the reconnect.
    Known,
    /// New; `ordinal` counts equal lines with this time and stream.
    New { ordinal: u64 },
}

impl Replay {
    /// Judges the next line of the connection.
    pub fn judge(&mut self, key: LineKey) -> Verdict {
        let (time, counts) = &mut self.equal[key.stream as usize];
        if *time != key.time {
            // A stream's lines are stamped by one goroutine, so those of one time are neighbours.
            *time = key.time;
            counts.clear();
        }
        let count = counts.entry(key.digest).or_insert(0);
        let ordinal = *count;
        *count += 1;
        if let Some(left) = self.known.get_mut(&key) {
            *left -= 1;
            if *left == 0 {
                self.known.remove(&key);
            }
            self.removed += 1;
            return Verdict::Known;
        }
        if key.time > self.forget_after {
            self.known = HashMap::new();
        }
        Verdict::New { ordinal }
    }

    /// Whether the first new line came although none of the lines before it did: the log was rotated away while
    /// nobody read it, and lines may be missing. Says so at most once per connection; call it for new lines.
    pub fn shows_gap(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.gap_judged, true);
        first && self.expected > 0 && self.removed == 0
    }
}
