//! The two wire formats of `GET /containers/{id}/logs?timestamps=1`, cut into parts of lines.
//!
//! Promises: the result does not depend on how the bytes were cut in transit; no input makes it panic; it holds at
//! most one frame (1 MiB) and never trusts a length it has not checked; text of the daemon is never taken for
//! output of the container. Which format it is follows from the container's `Tty` setting and is never guessed
//! from the bytes, because a raw line may begin with any byte.
//!
//! ```text
//! multiplexed: | stream (1) | 0 0 0 | length (4, big endian) | time, blank, content[, \n] |   one frame per part
//! raw (TTY):   time, blank, content, \r\n                     a part of 16384 bytes is followed by the next at once
//! ```
//!
//! Why not the decoder of the client library: it cannot say "daemon error", panics on unknown stream numbers,
//! guesses the format from the first byte and has no bound.

use crate::container::{PART_BYTES, Part, Stream, parse_time};
use bytes::{Buf, Bytes, BytesMut};

/// Largest frame that is believed; the daemon sends about 16.5 KiB.
const MAX_FRAME: usize = 1 << 20;
/// `2026-11-22T12:58:04.200957274Z`.
const TIME_BYTES: usize = 30;
const HEADER_BYTES: usize = 8;

/// What came out of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Part(Part),
    /// Error text of the daemon inside a good reply.
    DaemonError(String),
}

/// A stream that cannot be read on; only a new connection finds the next frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    #[error("frame of unknown stream {0}")]
    UnknownStream(u8),
    #[error("frame of {0} bytes; at most {MAX_FRAME} are believed")]
    TooLong(usize),
    #[error("frame without a time")]
    NoTime,
}

/// Decodes one connection's bytes.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    format: Format,
}

#[derive(Debug)]
enum Format {
    Multiplexed,
    Raw(Option<RawLine>),
}

/// The raw line being read.
#[derive(Debug)]
struct RawLine {
    time: u64,
    /// Its text, because the parts of a line repeat it.
    stamp: Bytes,
    /// Whether a full part was handed out and its repeated time may follow.
    at_boundary: bool,
}

impl Decoder {
    /// A decoder for a container with or without a TTY.
    pub fn new(tty: bool) -> Self {
        let format = if tty { Format::Raw(None) } else { Format::Multiplexed };
        Self { buffer: BytesMut::new(), format }
    }

    /// Takes the next bytes and hands out every part that is complete.
    ///
    /// # Errors
    /// [`Damaged`]: nothing after this can be trusted. What was handed out before stays good.
    pub fn push(&mut self, bytes: &[u8], mut emit: impl FnMut(Event)) -> Result<(), Damaged> {
        self.buffer.extend_from_slice(bytes);
        match &mut self.format {
            Format::Multiplexed => {
                while let Some(event) = next_frame(&mut self.buffer)? {
                    emit(event);
                }
            }
            Format::Raw(line) => {
                while let Some(event) = next_raw(&mut self.buffer, line, false) {
                    emit(event);
                }
            }
        }
        Ok(())
    }

    /// Hands out what a raw stream ended with. An unfinished frame of a multiplexed stream is left out: it comes
    /// again after the reconnect.
    pub fn finish(&mut self, mut emit: impl FnMut(Event)) {
        if let Format::Raw(line) = &mut self.format {
            while let Some(event) = next_raw(&mut self.buffer, line, true) {
                emit(event);
            }
        }
    }
}

fn next_frame(buffer: &mut BytesMut) -> Result<Option<Event>, Damaged> {
    let Some(&[kind, _, _, _, a, b, c, d]) = buffer.first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    let stream = match kind {
        1 => Some(Stream::Stdout),
        2 => Some(Stream::Stderr),
        3 => None,
        other => return Err(Damaged::UnknownStream(other)),
    };
    if length > MAX_FRAME {
        return Err(Damaged::TooLong(length));
    }
    if buffer.len() < HEADER_BYTES + length {
        return Ok(None);
    }
    buffer.advance(HEADER_BYTES);
    let payload = buffer.split_to(length).freeze();
    let Some(stream) = stream else {
        return Ok(Some(Event::DaemonError(daemon_text(&payload))));
    };
    let (time, mut content) = split_time(&payload).ok_or(Damaged::NoTime)?;
    let ends_line = content.last() == Some(&b'\n');
    if ends_line {
        content.truncate(content.len() - 1);
    }
    Ok(Some(Event::Part(Part { stream, time, content, ends_line, told: false, at: 0 })))
}

/// `at_end`: nothing follows, so what is there is all there is.
fn next_raw(buffer: &mut BytesMut, line: &mut Option<RawLine>, at_end: bool) -> Option<Event> {
    if buffer.is_empty() {
        return None;
    }
    let Some(current) = line else {
        let newline = memchr::memchr(b'\n', &buffer[..buffer.len().min(TIME_BYTES + 1)]);
        if buffer.len() <= TIME_BYTES && newline.is_none() && !at_end {
            return None;
        }
        match buffer.get(..=TIME_BYTES).and_then(parse_stamp) {
            Some(time) => {
                let stamp = buffer.split_to(TIME_BYTES + 1).freeze();
                *line = Some(RawLine { time, stamp, at_boundary: false });
                return next_raw(buffer, line, at_end);
            }
            None => return daemon_line(buffer, at_end),
        }
    };
    if current.at_boundary {
        let stamp = &current.stamp;
        let have = buffer.len().min(stamp.len());
        if buffer[..have] == stamp[..have] {
            if have < stamp.len() && !at_end {
                return None;
            }
            if have == stamp.len() {
                buffer.advance(have);
            }
        }
        current.at_boundary = false;
        return next_raw(buffer, line, at_end);
    }
    let newline = memchr::memchr(b'\n', &buffer[..buffer.len().min(PART_BYTES)]);
    let part = |content: Bytes, ends_line| {
        Some(Event::Part(Part { stream: Stream::Stdout, time: current.time, content, ends_line, told: false, at: 0 }))
    };
    if let Some(end) = newline {
        let mut content = buffer.split_to(end + 1).freeze();
        content.truncate(end);
        let event = part(content, true);
        *line = None;
        return event;
    }
    if buffer.len() >= PART_BYTES {
        let event = part(buffer.split_to(PART_BYTES).freeze(), false);
        current.at_boundary = true;
        return event;
    }
    if at_end {
        let event = part(buffer.split().freeze(), false);
        *line = None;
        return event;
    }
    None
}

/// A raw line without a time is text of the daemon.
fn daemon_line(buffer: &mut BytesMut, at_end: bool) -> Option<Event> {
    // Not further than a part, however much is there already: that depends on how the stream was cut.
    let end = match memchr::memchr(b'\n', &buffer[..buffer.len().min(PART_BYTES)]) {
        Some(end) => end + 1,
        None if buffer.len() >= PART_BYTES => PART_BYTES,
        None if at_end => buffer.len(),
        None => return None,
    };
    Some(Event::DaemonError(daemon_text(&buffer.split_to(end))))
}

/// Enough of the daemon's words for a log line.
fn daemon_text(bytes: &[u8]) -> String {
    const SHOWN: usize = 512;
    String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).trim_end().to_owned()
}

/// Divides time and content of a frame.
fn split_time(payload: &Bytes) -> Option<(u64, Bytes)> {
    let blank = memchr::memchr(b' ', &payload[..payload.len().min(64)])?;
    let time = parse_time(&payload[..blank])?;
    Some((time, payload.slice(blank + 1..)))
}

fn parse_stamp(stamp: &[u8]) -> Option<u64> {
    let (blank, time) = stamp.split_last()?;
    (*blank == b' ').then(|| parse_time(time)).flatten()
}
