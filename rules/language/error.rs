//! What is wrong with a condition's text, and where.

use std::fmt;

/// A part of a text: byte offsets, and which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Span {
    /// Which text; whoever parses several numbers them ([`super::Limits::text`]).
    pub text: u32,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// Where the span begins.
    pub fn place(&self, text: &str) -> Place {
        Place::of(text, self.start as usize)
    }
}

/// A position as people count: lines and columns from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Place {
    /// The place of a byte offset. Offsets behind the end are the end; inside a character, its start.
    pub fn of(text: &str, offset: usize) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = text.get(..offset).unwrap_or_default();
        let line_start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
        let lines = before.bytes().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
        let column = before.get(line_start..).unwrap_or_default().chars().count();
        Self { line: count(lines) + 1, column: count(column) + 1 }
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX - 1)
}

/// A text that is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct SyntaxError {
    /// What is wrong.
    pub kind: SyntaxErrorKind,
    /// Where.
    pub span: Span,
}

impl SyntaxError {
    /// The message with the line it is about and a caret under the place.
    ///
    /// Control characters of the text are shown as `?`, so the result is safe for a terminal.
    pub fn render(&self, text: &str) -> String {
        let place = self.span.place(text);
        format!("{}:{}: {}\n{}", place.line, place.column, self.kind, excerpt(text, self.span))
    }
}

/// A text for a message: control characters are `?`, the rest of a long one is left out.
pub(crate) fn shown(text: &str) -> String {
    /// More does not help.
    const MOST: usize = 100;
    let mut shown: String = text.chars().take(MOST).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}

/// The line of a span with carets under it.
pub(crate) fn excerpt(text: &str, span: Span) -> String {
    /// Longer lines are cut around the place.
    const WIDTH: usize = 120;
    let place = span.place(text);
    let line = text.split(['\n', '\r']).nth(place.line as usize - 1).unwrap_or_default();
    let column = place.column as usize - 1;
    let skip = column.saturating_sub(WIDTH / 2);
    let shown: String = line.chars().skip(skip).take(WIDTH).map(|c| if c.is_control() { '?' } else { c }).collect();
    let marked = text.get(span.start as usize..span.end as usize).unwrap_or_default();
    let length = marked.split(['\n', '\r']).next().unwrap_or_default().chars().count().clamp(1, WIDTH);
    format!("  | {shown}\n  | {}{}", " ".repeat(column - skip), "^".repeat(length))
}

/// What can be wrong with a condition's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxErrorKind {
    /// Nothing but blanks.
    #[error("the condition is empty; write for example `ka.verb = create`")]
    Empty,
    /// Longer than [`super::Limits::length`].
    #[error("the condition has {length} bytes, at most {limit} are read; split it into macros")]
    TooLong {
        /// Bytes.
        length: usize,
        /// The bound.
        limit: usize,
    },
    /// Nested deeper than [`super::Limits::depth`].
    #[error("exceeded max depth limit of {limit}; take parentheses out, or split the condition into macros")]
    TooDeep {
        /// The bound.
        limit: u32,
    },
    /// Something follows a complete condition.
    #[error("unexpected token after '{after}', expecting 'or', 'and'")]
    Trailing {
        /// The last token that was understood.
        after: String,
    },
    /// Something else should stand here.
    #[error("expected {0}")]
    Expected(Expected),
    /// An escape that has no meaning.
    #[error("unsupported string escape sequence: \\{sequence}; write \\\\ for a backslash")]
    Escape {
        /// What follows the backslash.
        sequence: String,
    },
    /// `\"` in a string in `'`, or the other way round.
    #[error("a \\{quote} in a string that stands in other quotes; write {quote} without the backslash")]
    ForeignQuote {
        /// The escaped quote.
        quote: char,
    },
}

/// What should have stood at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// After `and` or `or`.
    BlankOrParenthesis(&'static str),
    /// A check.
    Check,
    /// The end of a group.
    Close,
    /// The end of a transformer.
    CloseTransformer,
    /// The end of a field's argument.
    CloseArgument,
    /// A field's argument.
    FieldArgument,
    /// An operator.
    Operator,
    /// The right side of `<`, `<=`, `>`, `>=`.
    Number,
    /// The right side of a text operator.
    Text,
    /// The right side of `in`, `intersects`, `pmatch`.
    List,
    /// A member of a list.
    Member,
    /// An argument of a transformer.
    TransformerArgument,
    /// The field in `val()`.
    FieldInVal,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BlankOrParenthesis(word) => return write!(f, "blank or '(' after '{word}'"),
            Self::Check => "a '(' token, a field check, or an identifier",
            Self::Close => "a ')' token",
            Self::CloseTransformer => "a ')' token closing the transformer",
            Self::CloseArgument => "a ']' token",
            Self::FieldArgument => "a valid field argument: a quoted string or a bare string",
            Self::Operator => {
                "a valid check operator: exists, =, ==, !=, <, <=, >, >=, contains, icontains, bcontains, \
                 startswith, bstartswith, endswith, glob, iglob, regex, in, intersects or pmatch"
            }
            Self::Number => "a number, a transformer or val(field)",
            Self::Text => "a string, a transformer or val(field); put text with blanks or parentheses in quotes",
            Self::List => "a list in parentheses, an identifier, a transformer or val(field)",
            Self::Member => "a string; a list has one string between two commas",
            Self::TransformerArgument => "a field, a quoted string, a number, a list or a transformer",
            Self::FieldInVal => "a field within 'val'; transformers are written without it",
        })
    }
}
