//! A line of a log file that a kubelet's runtime writes: `2026-01-01T00:00:00.1Z stdout F text`.
//!
//! `F` is a whole line or its last part, `P` a part that another one follows. Parts have times of their own. More tags may
//! stand behind a colon.

use super::{Part, Stream, parse_time};
use bytes::Bytes;

/// The part in a line of the file; `None` when it is no such line.
pub fn part(line: &[u8], at: u64) -> Option<Part> {
    let (time, rest) = word(line);
    let (stream, rest) = word(rest);
    let (tags, text) = word(rest);
    let stream = match stream {
        b"stdout" => Stream::Stdout,
        b"stderr" => Stream::Stderr,
        _ => return None,
    };
    let ends_line = match tags.split(|byte| *byte == b':').next() {
        Some(b"F") => true,
        Some(b"P") => false,
        _ => return None,
    };
    let content = Bytes::copy_from_slice(text);
    Some(Part { stream, time: parse_time(time)?, content, ends_line, told: true, at })
}

/// Up to the first blank, and what is behind it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b' ', text) {
        Some(blank) => (&text[..blank], &text[blank + 1..]),
        None => (text, &[]),
    }
}
