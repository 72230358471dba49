//! From the pieces of a stream to lines.
//!
//! Promises: what comes out does not depend on how the stream was cut; no more than one line is held; of a line longer
//! than `max_line` the beginning comes out, marked, and the rest is left out.

use crate::container::Whole;
use bytes::Bytes;

/// Cuts a stream into lines.
pub struct Lines {
    max_line: usize,
    /// The line that is not complete.
    open: Vec<u8>,
    /// Where it begins.
    start: u64,
    /// Bytes taken so far.
    taken: u64,
    /// The rest of a line that was too long is going by.
    skipping: bool,
}

impl Lines {
    pub fn new(max_line: usize) -> Self {
        Self { max_line, open: Vec::new(), start: 0, taken: 0, skipping: false }
    }

    /// Goes on with another limit.
    pub fn with_most(self, max_line: usize) -> Self {
        Self { max_line, ..self }
    }

    /// Takes the next piece; hands out the lines that end in it.
    pub fn push(&mut self, mut piece: &[u8], mut emit: impl FnMut(Whole)) {
        while !piece.is_empty() {
            let end = memchr::memchr(b'\n', piece);
            let (text, used) = end.map_or((piece, piece.len()), |end| (&piece[..end], end + 1));
            if !self.skipping {
                if self.open.is_empty() {
                    self.start = self.taken;
                }
                // One byte more than fits shows that the line is too long.
                let room = (self.max_line + 1).saturating_sub(self.open.len());
                self.open.extend_from_slice(&text[..text.len().min(room)]);
                if end.is_some() || self.open.len() > self.max_line {
                    self.skipping = end.is_none();
                    self.close(&mut emit);
                }
            } else if end.is_some() {
                self.skipping = false;
            }
            self.taken += used as u64;
            piece = &piece[used..];
        }
    }

    /// The stream has ended: its last line needs no line end.
    pub fn finish(&mut self, mut emit: impl FnMut(Whole)) {
        if !self.open.is_empty() {
            self.close(&mut emit);
        }
    }

    fn close(&mut self, emit: &mut impl FnMut(Whole)) {
        let cut = self.open.len() > self.max_line;
        let text = self.open.strip_suffix(b"\r").unwrap_or(&self.open);
        let text = Bytes::copy_from_slice(&text[..text.len().min(self.max_line)]);
        emit(Whole { cut, ..Whole::plain(text, self.start) });
        self.open.clear();
        // One long line does not keep its memory for the rest of the stream.
        self.open.shrink_to(64 << 10);
    }
}
