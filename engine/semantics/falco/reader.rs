//! `Reader`: JSON for serde's visitors, for texts with many short strings and few escapes, as alerts are.
//!
//! Promises: accepts what `serde_json` accepts, and gives visitors the same values; never panics; nesting is bounded as there.
//! A string without escapes is borrowed, and its end found eight bytes at a time. Control characters, which may not be in
//! one, are looked for in the whole text at once. An integer is added up while its end is looked for. What is rare,
//! `serde_json` reads: strings with escapes, numbers that are not short integers, values that nobody wants.
//! Why not `serde_json` for all of it: an alert is some fifty strings of a dozen bytes each, of which it makes more steps.
//! 4-vCPU Xeon, 2026-11-23, an alert of 890 bytes: 13.2 k instructions with it, 8.9 k with this; `make instructions`.

mod access;
#[cfg(test)]
mod tests;

use access::Access;
use serde::{
    de::{self, Deserializer, IgnoredAny, Visitor},
    forward_to_deserialize_any,
};
use serde_json::error::Category;

/// Deeper nesting is an error, as in `serde_json`.
const MAX_DEPTH: u8 = 127;

/// Why a text cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("this is not JSON")]
    Syntax,
    #[error("this is JSON that a visitor refused")]
    Refused,
}

impl de::Error for Error {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self::Refused
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        if error.classify() == Category::Data { Self::Refused } else { Self::Syntax }
    }
}

/// Reads a text from its start on.
pub(crate) struct Reader<'de> {
    text: &'de str,
    at: usize,
    depth: u8,
    /// Whether there may be control characters, so that each string is searched for them.
    has_control: bool,
}

impl<'de> Reader<'de> {
    /// Reads the value at the start of a text. `has_control`: whether the text may [have control characters](has_control).
    pub fn new(text: &'de str, has_control: bool) -> Self {
        Self { text, at: 0, depth: 0, has_control }
    }

    /// How far it has read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether only white space is left.
    pub fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// The next byte that is no white space.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        match rest.first()? {
            b' ' | b'\n' | b'\t' | b'\r' => {
                self.at += rest.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\t' | b'\r'))?;
                self.text.as_bytes().get(self.at).copied()
            }
            byte => Some(*byte),
        }
    }

    /// Takes this byte.
    #[inline]
    fn take(&mut self, byte: u8) -> Result<(), Error> {
        if self.peek() != Some(byte) {
            return Err(Error::Syntax);
        }
        self.at += 1;
        Ok(())
    }

    fn part(&self, start: usize, end: usize) -> Result<&'de str, Error> {
        self.text.get(start..end).ok_or(Error::Syntax)
    }

    /// Takes the string that begins here, unless it has escapes or is none.
    #[inline]
    fn plain(&mut self) -> Option<&'de str> {
        let start = self.at + 1;
        let end = plain_end(self.text.as_bytes(), start);
        if self.text.as_bytes().get(end) != Some(&b'"') {
            return None;
        }
        let text = self.text.get(start..end)?;
        if self.has_control && has_control(text) {
            return None;
        }
        self.at = end + 1;
        Some(text)
    }

    /// Takes the string that begins here, with its quotes and escapes.
    #[cold]
    fn escaped(&mut self) -> Result<&'de str, Error> {
        let (start, mut at) = (self.at, self.at + 1);
        loop {
            at = plain_end(self.text.as_bytes(), at);
            match self.text.as_bytes().get(at) {
                Some(b'"') => break,
                // Whatever is behind it belongs to it.
                Some(_) => at += 2,
                None => return Err(Error::Syntax),
            }
        }
        self.at = at + 1;
        self.part(start, self.at)
    }

    fn word(&mut self, word: &str) -> Result<(), Error> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(Error::Syntax);
        }
        self.at += word.len();
        Ok(())
    }

    fn number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        /// As many digits always fit.
        const SHORT: usize = 18;
        let bytes = self.text.as_bytes();
        let negative = bytes.get(self.at) == Some(&b'-');
        let first = self.at + usize::from(negative);
        let (mut end, mut number) = (first, 0u64);
        while let Some(digit @ b'0'..=b'9') = bytes.get(end) {
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            end += 1;
        }
        let digits = end - first;
        // Times in nanoseconds have one digit more, which fits without a sign.
        let is_short = (1..=SHORT + usize::from(!negative)).contains(&digits);
        let leads_with_zero = bytes.get(first) == Some(&b'0') && (digits > 1 || negative);
        if is_short && !leads_with_zero && !matches!(bytes.get(end), Some(b'.' | b'e' | b'E')) {
            self.at = end;
            return if negative { visitor.visit_i64(-(number as i64)) } else { visitor.visit_u64(number) };
        }
        let is_of_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = bytes.get(self.at..).unwrap_or_default().iter().take_while(|byte| is_of_number(byte)).count();
        let number = self.part(self.at, self.at + length)?;
        self.at += length;
        by_serde_json(number, visitor)
    }

    /// Reads what is behind an opening bracket, up to the closing one.
    fn nested<T>(
        &mut self,
        close: u8,
        read: impl FnOnce(&mut Access<'_, 'de>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.depth == MAX_DEPTH {
            return Err(Error::Syntax);
        }
        self.depth += 1;
        self.at += 1;
        let read = read(&mut Access::new(self, close))?;
        self.depth -= 1;
        self.take(close)?;
        Ok(read)
    }
}

/// Where the next quote or backslash is, or the end.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // The high bit of the first zero byte, and of no byte before it.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & ONES << 7;
    let (chunks, rest) = bytes.get(at..).unwrap_or_default().as_chunks();
    for chunk in chunks {
        let word = u64::from_le_bytes(*chunk);
        let found = zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len())
}

/// Whether a text has control characters, white space but blanks among them.
pub(crate) fn has_control(text: &str) -> bool {
    text.bytes().fold(u8::MAX, u8::min) < b' '
}

/// All of this text is one value.
fn by_serde_json<'de, V: Visitor<'de>>(text: &'de str, visitor: V) -> Result<V::Value, Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = reader.deserialize_any(visitor)?;
    reader.end()?;
    Ok(value)
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            Some(b'"') => match self.plain() {
                Some(text) => visitor.visit_borrowed_str(text),
                None => by_serde_json(self.escaped()?, visitor),
            },
            Some(b'-' | b'0'..=b'9') => self.number(visitor),
            Some(b'{') => self.nested(b'}', |members| visitor.visit_map(members)),
            Some(b'[') => self.nested(b']', |items| visitor.visit_seq(items)),
            Some(b't') => self.word("true").and_then(|()| visitor.visit_bool(true)),
            Some(b'f') => self.word("false").and_then(|()| visitor.visit_bool(false)),
            Some(b'n') => self.word("null").and_then(|()| visitor.visit_unit()),
            _ => Err(Error::Syntax),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        values.next().ok_or(Error::Syntax)??;
        self.at += values.byte_offset();
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            Some(b'n') => self.word("null").and_then(|()| visitor.visit_none()),
            _ => visitor.visit_some(self),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier
    }
}
