//! Reading tokens. Each method takes a token if it stands here, and nothing otherwise.

use super::{Span, SyntaxError, SyntaxErrorKind};

/// Blanks between tokens: space, tab, backspace, CR, LF.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x08 | b'\r' | b'\n')
}

/// What `[[:space:]]` is in POSIX.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// What a bare string ends at, besides blanks.
pub(crate) fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b',' | b'=')
}

fn is_bare(byte: u8) -> bool {
    !is_delimiter(byte) && !matches!(byte, b'"' | b'\'') && !is_space(byte)
}

fn is_bare_argument(byte: u8) -> bool {
    !matches!(byte, b'[' | b']' | b'"' | b'\'') && !is_space(byte)
}

/// A macro's name, and each part of a field's: a letter, then letters, digits and `_`.
pub(crate) fn is_name(text: &str) -> bool {
    name_length(text.as_bytes()) == Some(text.len())
}

fn name_length(text: &[u8]) -> Option<usize> {
    text.first().filter(|byte| byte.is_ascii_alphabetic())?;
    let end = text.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    Some(end.unwrap_or(text.len()))
}

/// A place in a text.
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    /// Which text it is, for spans.
    id: u32,
    /// The last token, for messages.
    last: (usize, usize),
}

impl<'t> Cursor<'t> {
    pub fn new(text: &'t str, id: u32) -> Self {
        Self { text, at: 0, id, last: (0, 0) }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    /// Goes back, to try something else.
    pub fn reset(&mut self, at: usize) {
        self.at = at;
    }

    pub fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn rest_bytes(&self) -> &'t [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    pub fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    pub fn peek(&self) -> Option<u8> {
        self.rest_bytes().first().copied()
    }

    pub fn last_token(&self) -> &'t str {
        self.text.get(self.last.0..self.last.1).unwrap_or_default()
    }

    pub fn span(&self, start: usize, end: usize) -> Span {
        let offset = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span { text: self.id, start: offset(start), end: offset(end) }
    }

    pub fn span_from(&self, start: usize) -> Span {
        self.span(start, self.at.max(start))
    }

    /// An error about the word that stands here, or about the end.
    pub fn error(&self, kind: SyntaxErrorKind) -> SyntaxError {
        let rest = self.rest();
        let word = rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',')).unwrap_or(rest.len());
        let first = rest.chars().next().map_or(0, char::len_utf8);
        SyntaxError { kind, span: self.span(self.at, self.at + word.max(first)) }
    }

    /// Takes the next `length` bytes, which end at a character.
    fn take(&mut self, length: usize) -> &'t str {
        self.last = (self.at, self.at + length);
        self.at += length;
        self.last_token()
    }

    /// Skips blanks; whether there were any.
    pub fn blanks(&mut self) -> bool {
        let length = self.rest_bytes().iter().take_while(|byte| is_blank(**byte)).count();
        self.at += length;
        length > 0
    }

    /// Takes `token` whatever follows it.
    pub fn token(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.take(token.len());
        }
        found
    }

    /// Takes `not` and the blanks behind it, of which there must be one.
    pub fn not(&mut self) -> bool {
        let Some(behind) = self.rest_bytes().strip_prefix(b"not") else { return false };
        let blanks = behind.iter().take_while(|byte| is_space(**byte)).count();
        if blanks > 0 {
            self.take(3 + blanks);
        }
        blanks > 0
    }

    /// Takes a word that a blank must follow; the blank stays.
    pub fn word(&mut self, word: &str) -> bool {
        let behind = self.rest_bytes().strip_prefix(word.as_bytes());
        let found = behind.is_some_and(|behind| behind.first().is_some_and(|byte| is_blank(*byte)));
        if found {
            self.take(word.len());
        }
        found
    }

    /// A name without dots.
    pub fn identifier(&mut self) -> Option<&'t str> {
        let length = name_length(self.rest_bytes())?;
        Some(self.take(length))
    }

    /// Two or more names with dots between.
    pub fn field_name(&mut self) -> Option<&'t str> {
        let rest = self.rest_bytes();
        let mut end = name_length(rest)?;
        let mut parts = 1;
        while let Some(behind) = rest.get(end..).and_then(|behind| behind.strip_prefix(b".")) {
            let Some(length) = name_length(behind) else { break };
            end += 1 + length;
            parts += 1;
        }
        (parts > 1).then(|| self.take(end))
    }

    pub fn bare_string(&mut self) -> Option<&'t str> {
        self.while_bytes(is_bare)
    }

    pub fn bare_argument(&mut self) -> Option<&'t str> {
        self.while_bytes(is_bare_argument)
    }

    /// All bytes of a character beyond ASCII are alike to `fits`, so the end is at a character.
    fn while_bytes(&mut self, fits: fn(u8) -> bool) -> Option<&'t str> {
        let length = self.rest_bytes().iter().take_while(|byte| fits(**byte)).count();
        (length > 0).then(|| self.take(length))
    }

    /// A hexadecimal number, or a decimal one with sign, fraction and exponent.
    pub fn number(&mut self) -> Option<&'t str> {
        let length = number_length(self.rest_bytes())?;
        Some(self.take(length))
    }

    /// A string in quotes, as it stands.
    ///
    /// It ends at the first such quote that has no backslash before it, so `"a\\"` does not end.
    pub fn quoted(&mut self) -> Option<&'t str> {
        let rest = self.rest_bytes();
        let quote = *rest.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
        let ends = |at: &usize| rest.get(*at) == Some(&quote) && rest.get(at - 1) != Some(&b'\\');
        let end = (1..rest.len()).find(ends)?;
        Some(self.take(end + 1))
    }
}

fn number_length(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| text.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let is = |at: usize, bytes: &[u8]| text.get(at).is_some_and(|byte| bytes.contains(byte));
    if is(0, b"0") && is(1, b"xX") {
        let hex = text.iter().skip(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
        if hex > 0 {
            return Some(2 + hex);
        }
    }
    let start = usize::from(is(0, b"+-"));
    let whole = digits(start);
    if whole == 0 {
        return None;
    }
    let mut end = start + whole;
    if is(end, b".") {
        end += 1 + digits(end + 1);
    }
    if is(end, b"eE") && is(end + 1, b"+-") {
        let exponent = digits(end + 2);
        if exponent > 0 {
            end += 2 + exponent;
        }
    }
    Some(end)
}
