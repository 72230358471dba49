//! Texts that are put together from several places, and where each part of them came from.

use super::sources::{Files, Spot};
use std::sync::Arc;

/// A text, and where its parts stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    /// Where the piece begins in the text.
    at: usize,
    spot: Spot,
    /// The scalar that stands at the spot, and where in it the piece begins. `None`: it is about the whole spot.
    from: Option<(Arc<str>, usize)>,
}

impl Written {
    /// What a scalar says.
    pub fn scalar(text: &str, spot: Spot) -> Self {
        Self { text: text.to_owned(), pieces: vec![Piece { at: 0, spot, from: Some((text.into(), 0)) }] }
    }

    /// Adds text that does not stand in a file, but is there because of a spot.
    pub fn push(&mut self, text: &str, spot: Spot) {
        if !text.is_empty() {
            self.pieces.push(Piece { at: self.text.len(), spot, from: None });
            self.text.push_str(text);
        }
    }

    /// Adds a part of another text, with where it came from.
    pub fn push_part(&mut self, other: &Written, start: usize, end: usize) {
        let Some(part) = other.text.get(start..end).filter(|part| !part.is_empty()) else { return };
        let at = self.text.len();
        let first = other.pieces.partition_point(|piece| piece.at <= start).saturating_sub(1);
        for piece in other.pieces.get(first..).unwrap_or_default().iter().take_while(|piece| piece.at < end) {
            let behind = start.saturating_sub(piece.at);
            let from = piece.from.as_ref().map(|(whole, from)| (Arc::clone(whole), from + behind));
            self.pieces.push(Piece { at: at + piece.at.saturating_sub(start), spot: piece.spot, from });
        }
        self.text.push_str(part);
    }

    /// Adds all of another text.
    pub fn push_all(&mut self, other: &Written) {
        self.push_part(other, 0, other.text.len());
    }

    /// Joins with a blank, as `append` does.
    pub fn append(&mut self, other: &Written) {
        let spot = other.pieces.first().map(|piece| piece.spot).unwrap_or_default();
        self.push(" ", spot);
        self.push_all(other);
    }

    /// Cuts the text.
    pub fn truncate(&mut self, length: usize) {
        self.text.truncate(length);
        while self.pieces.last().is_some_and(|piece| piece.at > length) {
            self.pieces.pop();
        }
    }

    /// What the piece at an offset is about.
    pub fn place_of(&self, offset: usize) -> Spot {
        let index = self.pieces.partition_point(|piece| piece.at <= offset).saturating_sub(1);
        self.pieces.get(index).map(|piece| piece.spot).unwrap_or_default()
    }

    /// The text without blanks at its ends.
    pub fn trimmed(&self) -> Self {
        let start = self.text.len() - self.text.trim_start().len();
        let mut trimmed = Self::default();
        trimmed.push_part(self, start, start + self.text.trim().len());
        trimmed
    }

    /// Where a part of the text stands.
    pub fn spot(&self, start: usize, end: usize, files: &Files) -> Spot {
        let index = self.pieces.partition_point(|piece| piece.at <= start).saturating_sub(1);
        let Some(piece) = self.pieces.get(index) else { return Spot::default() };
        let Some((whole, from)) = &piece.from else { return piece.spot };
        let next = self.pieces.get(index + 1).map_or(self.text.len(), |piece| piece.at);
        let start = from + (start - piece.at);
        let end = from + (end.min(next).max(piece.at) - piece.at);
        align(files.slice(piece.spot), whole, start, end.max(start)).map_or(piece.spot, |(first, last)| {
            let base = piece.spot.start as usize;
            Spot::new(piece.spot.file, base + first, base + last)
        })
    }
}

/// Finds part of a scalar's text in its source.
///
/// Folding changes blanks only and quotes add backslashes, so the other characters stand in the source in the same
/// order. `None`: they do not, because of an escape such as `\x41`.
fn align(source: &str, scalar: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let mut at = match source.as_bytes().first()? {
        b'>' | b'|' => source.find('\n')? + 1,
        b'"' | b'\'' => 1,
        _ => 0,
    };
    let mut first = None;
    let mut last = at;
    for (offset, c) in scalar.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        if offset >= end && first.is_some() {
            break;
        }
        let skip = source.get(at..)?.find(|s: char| s == c || !(s.is_whitespace() || s == '\\'))?;
        if !source.get(at + skip..)?.starts_with(c) {
            return None;
        }
        at += skip;
        if offset >= start && first.is_none() {
            first = Some(at);
        }
        at += c.len_utf8();
        last = at;
    }
    Some((first.unwrap_or(last), last))
}
