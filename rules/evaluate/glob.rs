//! Patterns of `glob`, `iglob` and of path parts: fnmatch(3) without flags.
//!
//! `*` and `?` match every byte, `/` too; `[ab]`, `[a-z]`, `[!a]`, `[^a]` and `[[:alpha:]]` match one; a backslash
//! takes the next byte literally. A `[` without its `]` is a `[`. Time is the product of pattern and text at worst:
//! only the last `*` is ever tried again.

use memchr::memmem;

/// A pattern. The frequent shapes need no backtracking.
#[derive(Debug, Clone)]
pub(crate) enum Glob {
    Equal(Box<[u8]>),
    Prefix(Box<[u8]>),
    Suffix(Box<[u8]>),
    Within(Box<memmem::Finder<'static>>),
    Pattern { pattern: Box<[u8]>, fold: bool },
}

impl Glob {
    /// `fold`: whether upper and lower case are the same (ASCII).
    pub fn new(pattern: &[u8], fold: bool) -> Self {
        let general = || Self::Pattern { pattern: pattern.into(), fold };
        let is_special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b'\\');
        if fold {
            return general();
        }
        let (from_start, rest) = match pattern.strip_prefix(b"*") {
            Some(rest) => (false, rest),
            None => (true, pattern),
        };
        let (to_end, literal) = match rest.strip_suffix(b"*") {
            Some(literal) => (false, literal),
            None => (true, rest),
        };
        if literal.iter().any(is_special) {
            return general();
        }
        match (from_start, to_end) {
            (true, true) => Self::Equal(literal.into()),
            (true, false) => Self::Prefix(literal.into()),
            (false, true) => Self::Suffix(literal.into()),
            (false, false) => Self::Within(Box::new(memmem::Finder::new(literal).into_owned())),
        }
    }

    pub fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Equal(literal) => text == &**literal,
            Self::Prefix(literal) => text.starts_with(literal),
            Self::Suffix(literal) => text.ends_with(literal),
            Self::Within(finder) => finder.find(text).is_some(),
            Self::Pattern { pattern, fold } => matches(pattern, text, *fold),
        }
    }
}

/// Whether a text matches a pattern.
pub(crate) fn matches(pattern: &[u8], text: &[u8], fold: bool) -> bool {
    let (mut at, mut read) = (0, 0);
    // Where to go on after the last `*`, if what follows it does not fit.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, read));
            continue;
        }
        let step = match (pattern.get(at..).filter(|rest| !rest.is_empty()), text.get(read)) {
            (None, None) => return true,
            (Some(rest), Some(byte)) => one(rest, *byte, fold),
            _ => None,
        };
        match (step, &mut retry) {
            (Some(length), _) => {
                at += length;
                read += 1;
            }
            (None, Some((after, from))) if *from < text.len() => {
                *from += 1;
                (at, read) = (*after, *from);
            }
            _ => return false,
        }
    }
}

/// How much of the pattern matches one byte; `None` if it does not.
fn one(pattern: &[u8], byte: u8, fold: bool) -> Option<usize> {
    let same = |a: u8, b: u8| a == b || fold && a.eq_ignore_ascii_case(&b);
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', literal, ..] => same(*literal, byte).then_some(2),
        [b'[', rest @ ..] => match class(rest, byte, fold) {
            Some((true, length)) => Some(1 + length),
            Some((false, _)) => None,
            None => (byte == b'[').then_some(1),
        },
        [literal, ..] => same(*literal, byte).then_some(1),
        [] => None,
    }
}

/// Whether a byte is in the class that `pattern` begins with, and how long the class is; `None` if it has no end.
fn class(pattern: &[u8], byte: u8, fold: bool) -> Option<(bool, usize)> {
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let mut at = usize::from(negated);
    let first = at;
    let mut found = false;
    let in_range = |from: u8, to: u8| {
        let (lower, upper) = (byte.to_ascii_lowercase(), byte.to_ascii_uppercase());
        (from..=to).contains(&byte) || fold && ((from..=to).contains(&lower) || (from..=to).contains(&upper))
    };
    loop {
        match pattern.get(at..)? {
            [b']', ..] if at > first => return Some((found != negated, at + 1)),
            [b'[', b':', rest @ ..] => {
                let end = memmem::find(rest, b":]")?;
                found |= named(rest.get(..end)?, byte, fold);
                at += 2 + end + 2;
            }
            [] => return None,
            _ => {
                let (from, length) = literal(pattern.get(at..)?)?;
                at += length;
                let range = pattern.get(at) == Some(&b'-') && pattern.get(at + 1).is_some_and(|end| *end != b']');
                if range {
                    let (to, length) = literal(pattern.get(at + 1..)?)?;
                    at += 1 + length;
                    found |= in_range(from, to);
                } else {
                    found |= in_range(from, from);
                }
            }
        }
    }
}

fn literal(pattern: &[u8]) -> Option<(u8, usize)> {
    match pattern {
        [b'\\', byte, ..] => Some((*byte, 2)),
        [byte, ..] => Some((*byte, 1)),
        [] => None,
    }
}

fn named(name: &[u8], byte: u8, fold: bool) -> bool {
    match name {
        b"alpha" => byte.is_ascii_alphabetic(),
        b"digit" => byte.is_ascii_digit(),
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"upper" => byte.is_ascii_uppercase() || fold && byte.is_ascii_lowercase(),
        b"lower" => byte.is_ascii_lowercase() || fold && byte.is_ascii_uppercase(),
        b"space" => matches!(byte, b' ' | b'\t'..=b'\r'),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"punct" => byte.is_ascii_punctuation(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"graph" => byte.is_ascii_graphic(),
        b"cntrl" => byte.is_ascii_control(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => false,
    }
}
