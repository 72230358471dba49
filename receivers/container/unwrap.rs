//! From the lines of a log file to the lines a program wrote.
//!
//! Promises
//! - A line that its runtime wrote in parts comes out whole, once; where its first part stands is known, so that a
//!   reader that is started again reads it again from there and repeats nothing else.
//! - A line that no runtime wrote comes out as it is and is marked; it is never lost.
//! - At most two unfinished lines are held, each no longer than the longest line.

use super::{Joiner, Line, Part, Stream, cri, json_file};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// What a container runtime puts around the lines of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wrapping {
    /// Nothing: the program wrote the file itself.
    #[default]
    None,
    /// JSON of Docker's `json-file` driver.
    Docker,
    /// Time, stream and tag, as containerd and CRI-O write it.
    Cri,
    /// Either of the two, told apart line by line.
    Auto,
}

/// A line as a program wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    pub text: Bytes,
    /// Where it begins in the file or stream.
    pub at: u64,
    /// When the runtime read it, in nanoseconds since 1970; 0 when nobody says.
    pub time: u64,
    /// Where a container wrote it.
    pub stream: Option<Stream>,
    /// Its end never came.
    pub incomplete: bool,
    /// It is longer than the longest line; this is its beginning.
    pub cut: bool,
    /// There should have been a wrapping and there was none.
    pub bare: bool,
}

impl Whole {
    /// A line without a wrapping.
    pub fn plain(text: Bytes, at: u64) -> Self {
        Self { text, at, time: 0, stream: None, incomplete: false, cut: false, bare: false }
    }
}

impl From<Line> for Whole {
    fn from(line: Line) -> Self {
        let Line { stream, time, content, incomplete, cut, at, .. } = line;
        Self { text: content, at, time, stream: Some(stream), incomplete, cut, bare: false }
    }
}

/// Takes one file's lines out of their wrapping.
#[derive(Debug)]
pub struct Unwrapper {
    wrapping: Wrapping,
    joiner: Joiner,
    /// Where each stream's unfinished line began when the reader was stopped, and how far it had read.
    resumed: ([Option<u64>; 2], u64),
}

impl Unwrapper {
    /// For a file that is read from its beginning, or from a place where no line is open.
    pub fn new(wrapping: Wrapping, max_line: usize) -> Self {
        Self::resuming(wrapping, max_line, [None, None], 0)
    }

    /// For a file that had been read up to `until` with these lines open: what was read is left out, but for them.
    pub fn resuming(wrapping: Wrapping, max_line: usize, held: [Option<u64>; 2], until: u64) -> Self {
        Self { wrapping, joiner: Joiner::of_files(max_line), resumed: (held, until) }
    }

    /// Takes the next line of the file; hands out the lines that it ends.
    pub fn push(&mut self, line: Whole, now: Instant, mut emit: impl FnMut(Whole)) {
        let (held, until) = self.resumed;
        let replayed = line.at < until;
        let Some(part) = self.part(&line) else {
            if !replayed {
                emit(Whole { bare: self.wrapping != Wrapping::None, ..line });
            }
            return;
        };
        if replayed && held[part.stream as usize].is_none_or(|from| line.at < from) {
            return;
        }
        let incomplete = line.incomplete;
        self.joiner.push(part, now, |line| emit(Whole { incomplete: line.incomplete || incomplete, ..line.into() }));
    }

    /// Hands out lines that nothing was added to for a second.
    pub fn flush_idle(&mut self, now: Instant, mut emit: impl FnMut(Whole)) {
        self.joiner.flush_idle(now, |line| emit(line.into()));
    }

    /// Hands out whatever is unfinished: nothing follows, or there is no room for it.
    pub fn flush_all(&mut self, mut emit: impl FnMut(Whole)) {
        self.joiner.flush_all(|line| emit(line.into()));
    }

    /// Where the unfinished line of each stream begins.
    pub fn held(&self) -> [Option<u64>; 2] {
        self.joiner.held()
    }

    /// When an unfinished line has waited long enough, if there is one.
    pub fn idle_at(&self) -> Option<Instant> {
        self.joiner.idle_at()
    }

    /// Bytes of unfinished lines.
    pub fn held_bytes(&self) -> usize {
        self.joiner.held_bytes()
    }

    fn part(&self, line: &Whole) -> Option<Part> {
        match self.wrapping {
            Wrapping::None => None,
            // What its wrapping says of the end of the line is gone.
            _ if line.cut => None,
            Wrapping::Docker => json_file::part(&line.text, line.at),
            Wrapping::Cri => cri::part(&line.text, line.at),
            Wrapping::Auto if line.text.first() == Some(&b'{') => json_file::part(&line.text, line.at),
            Wrapping::Auto => cri::part(&line.text, line.at),
        }
    }
}
