//! A line of a file of Docker's `json-file` driver: `{"log":"text\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}`.
//!
//! The driver writes a line of more than 16 KiB as several of these; only the last one has the line end.

use super::{Part, Stream, parse_time};
use bytes::Bytes;
use serde::Deserialize;
use std::borrow::Cow;

/// What the driver writes; it may add more, such as `attrs`.
#[derive(Deserialize)]
struct Entry<'l> {
    #[serde(borrow)]
    log: Cow<'l, str>,
    #[serde(borrow, default)]
    stream: Cow<'l, str>,
    #[serde(borrow, default)]
    time: Cow<'l, str>,
}

/// The part in a line of the file; `None` when the driver did not write it. A time that cannot be read is 0.
pub fn part(line: &[u8], at: u64) -> Option<Part> {
    let entry: Entry<'_> = serde_json::from_slice(line).ok()?;
    let (text, ends_line) = match entry.log.strip_suffix('\n') {
        Some(text) => (text, true),
        None => (&*entry.log, false),
    };
    let stream = if entry.stream == "stderr" { Stream::Stderr } else { Stream::Stdout };
    let time = parse_time(entry.time.as_bytes()).unwrap_or(0);
    let content = Bytes::copy_from_slice(text.as_bytes());
    Some(Part { stream, time, content, ends_line, told: false, at })
}
