//! What the texts and the names of a record are made into.
//!
//! Promise: a text that somebody keeps keeps its record's bytes, not the request's.
//!
//! Texts and names make up most of a record, so texts are parts of one copy of it ([`Texts`]), and names are those of the
//! record before where they are the same ([`Names`]).

use super::{
    DecodeError,
    any::{Make, text},
    wire::Reader,
};
use crate::event::{Key, Text, Value};
use std::{cell::RefCell, sync::Arc};

/// Room for a larger copy of a message is not kept.
const KEPT: usize = 64 << 10;

thread_local! {
    /// Where copies are put together.
    static SCRATCH: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The texts of one message, as parts of one copy of it.
///
/// The copy has the message's length, and its bytes but for those that are no UTF-8, such as parts of numbers. A text in the
/// message is intact in it: the byte in front of a text is the last one of its length and below 0x80, so no character
/// begins before a text and ends in it. What is not found there is no text.
pub(super) struct Texts<'a> {
    message: &'a [u8],
    copy: Arc<str>,
}

impl<'a> Texts<'a> {
    pub fn of(message: &'a [u8]) -> Self {
        let copy = SCRATCH.with_borrow_mut(|copy| {
            copy.clear();
            for chunk in Utf8Parts(message) {
                copy.push_str(chunk.0);
                copy.extend(std::iter::repeat_n('\0', chunk.1));
            }
            let shared = Arc::from(copy.as_str());
            copy.shrink_to(KEPT);
            shared
        });
        Self { message, copy }
    }
}

impl Make for Texts<'_> {
    type Text = Text;
    type Value = Value;

    fn text(&self, at: &Reader<'_>, part: &[u8]) -> Result<Text, DecodeError> {
        let start = (part.as_ptr() as usize).wrapping_sub(self.message.as_ptr() as usize);
        let inside = start.checked_add(part.len()).and_then(|end| self.copy.get(start..end));
        let same = inside.is_some_and(|inside| inside.as_bytes() == part);
        same.then(|| Text::range_of(&self.copy, start, part.len()))
            .flatten()
            .map_or_else(|| text(at, part).map(Text::from), Ok)
    }
}

/// What is UTF-8 in some bytes, each part with the number of bytes behind it that are not.
struct Utf8Parts<'a>(&'a [u8]);

impl<'a> Iterator for Utf8Parts<'a> {
    type Item = (&'a str, usize);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let (valid, invalid) = match std::str::from_utf8(self.0) {
            Ok(_) => (self.0.len(), 0),
            Err(error) => (error.valid_up_to(), error.error_len().unwrap_or(self.0.len() - error.valid_up_to())),
        };
        let (part, rest) = self.0.split_at(valid);
        self.0 = rest.get(invalid..).unwrap_or_default();
        // It was just found valid.
        Some((std::str::from_utf8(part).unwrap_or_default(), invalid))
    }
}

/// The names of the record before, in their order: most records have the same as their neighbours.
#[derive(Default)]
pub(super) struct Names {
    keys: Vec<Key>,
    /// How many the record has that is being read.
    next: usize,
}

impl Names {
    /// Another record; how many names the one before had.
    pub fn begin(&mut self) -> usize {
        std::mem::take(&mut self.next)
    }

    pub fn key(&mut self, at: &Reader<'_>, part: &[u8]) -> Result<Key, DecodeError> {
        let place = self.next;
        self.next += 1;
        if let Some(key) = self.keys.get(place).filter(|key| key.as_str().as_bytes() == part) {
            return Ok(key.clone());
        }
        let key = match Key::known(part) {
            Some(key) => key,
            // A copy of its own, so that it keeps no record.
            None => Key::from_event(text(at, part)?.into()),
        };
        match self.keys.get_mut(place) {
            Some(other) => *other = key.clone(),
            None => self.keys.push(key.clone()),
        }
        Ok(key)
    }
}
