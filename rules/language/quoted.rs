//! Strings in quotes: what the escapes in them mean.

use super::{SyntaxErrorKind, error::shown};

/// What a string in quotes says. `raw` has its quotes. An error has the byte range inside `raw` that it is about.
pub(super) fn unescape(raw: &str) -> Result<Vec<u8>, (SyntaxErrorKind, (usize, usize))> {
    let bytes = raw.as_bytes();
    let Some((quote, inner)) = bytes.split_first() else { return Ok(Vec::new()) };
    let inner = inner.strip_suffix(&[*quote]).unwrap_or(inner);
    let mut text = Vec::with_capacity(inner.len());
    let mut at = 0;
    while let Some(byte) = inner.get(at) {
        at += 1;
        if *byte != b'\\' {
            text.push(*byte);
            continue;
        }
        // A backslash at the very end says nothing.
        let Some(escape) = inner.get(at) else { break };
        at += 1;
        text.push(match escape {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            // Old rules write `\ `; the blank is eaten.
            b'\\' | b' ' => b'\\',
            b'/' => b'/',
            b'"' | b'\'' if escape == quote => *quote,
            b'"' | b'\'' => {
                return Err((SyntaxErrorKind::ForeignQuote { quote: char::from(*escape) }, (at - 1, at + 1)));
            }
            b'x' => {
                let digits = inner.get(at..at + 2).and_then(|two| std::str::from_utf8(two).ok());
                let digits = digits.filter(|two| two.bytes().all(|digit| digit.is_ascii_hexdigit()));
                let Some(byte) = digits.and_then(|two| u8::from_str_radix(two, 16).ok()) else {
                    return Err((SyntaxErrorKind::Escape { sequence: "x".to_owned() }, (at - 1, at + 1)));
                };
                at += 2;
                byte
            }
            _ => {
                let behind = raw.get(at..).and_then(|rest| rest.chars().next());
                let sequence: String = behind.into_iter().collect();
                let end = at + sequence.len();
                return Err((SyntaxErrorKind::Escape { sequence: shown(&sequence) }, (at - 1, end)));
            }
        });
    }
    Ok(text)
}
