//! The tolerant splitter: which pieces a body has.
//!
//! Accepts one object, an array of objects, objects line by line, and objects one behind the other with or without
//! commas. Promises: every byte that is not white space, a comma or a bracket between pieces is in exactly one
//! piece; what cannot be read costs its line, not its neighbours; at most [`MAX_PIECES`] pieces.
//! A piece is read where it is found, so a well-formed body is read once. A broken piece is read up to its error
//! and given up to the end of its line; the nesting limit bounds how often a byte is read again.

use super::{
    alert::{Alert, AlertSeed},
    reader::{Error, Reader, has_control},
    reasons,
};
use serde::{Deserialize, de::DeserializeSeed};
use serde_json::value::RawValue;

/// Most pieces of a body; what is behind them is one plain piece.
pub const MAX_PIECES: usize = 16_384;

/// A piece of a body.
pub(super) enum Piece<'p, 'a> {
    /// Lent, because an alert is large to move.
    Alert {
        alert: &'p mut Alert<'a>,
        text: &'a str,
    },
    Plain {
        text: &'a str,
        reason: &'static str,
    },
}

/// Calls `found` for each piece of `body`, in order.
pub(super) fn pieces<'a>(body: &'a str, mut found: impl FnMut(Piece<'_, 'a>)) {
    let mut rest = body.trim_start_matches('\u{feff}');
    let has_control = has_control(rest.trim_ascii_end());
    let mut in_array = false;
    let mut after_piece = false;
    for _ in 0..MAX_PIECES {
        (rest, in_array) = skip_separators(rest, in_array, after_piece);
        if rest.is_empty() {
            return;
        }
        let length = next(rest, in_array, has_control, &mut found);
        rest = &rest[length..];
        after_piece = true;
    }
    (rest, _) = skip_separators(rest, in_array, after_piece);
    let text = rest.trim_end();
    if !text.is_empty() {
        found(Piece::Plain { text, reason: reasons::TOO_MANY });
    }
}

/// Skips white space, commas behind a piece, and the brackets of an array of objects.
fn skip_separators(mut rest: &str, mut in_array: bool, after_piece: bool) -> (&str, bool) {
    loop {
        rest = rest.trim_start();
        match rest.as_bytes().first() {
            Some(b',') if after_piece => rest = &rest[1..],
            Some(b']') if in_array => {
                in_array = false;
                rest = &rest[1..];
            }
            Some(b'[') if !in_array && opens_objects(rest) => {
                in_array = true;
                rest = &rest[1..];
            }
            _ => return (rest, in_array),
        }
    }
}

/// Whether a bracket opens an array of objects or an empty one; a log line may begin with a bracket as well.
fn opens_objects(rest: &str) -> bool {
    matches!(rest[1..].trim_start().as_bytes().first(), Some(b'{' | b']'))
}

/// Gives the piece at the start of `rest` to `found`. How many bytes it takes.
fn next<'a>(rest: &'a str, in_array: bool, has_control: bool, found: &mut impl FnMut(Piece<'_, 'a>)) -> usize {
    let mut plain = |length: usize, reason| {
        found(Piece::Plain { text: rest[..length].trim_end(), reason });
        length
    };
    if rest.starts_with('{') {
        let (mut reader, mut alert) = (Reader::new(rest, has_control), Alert::default());
        return match AlertSeed(&mut alert).deserialize(&mut reader) {
            Ok(()) => {
                let length = reader.position();
                if alert.rule.is_none() && alert.output.is_none() {
                    return plain(length, reasons::NOT_ALERT);
                }
                found(Piece::Alert { alert: &mut alert, text: &rest[..length] });
                length
            }
            // Nothing else is refused than nesting over the limit.
            Err(Error::Refused) => plain(value_length(rest).unwrap_or_else(|| line_length(rest)), reasons::TOO_DEEP),
            Err(Error::Syntax) => plain(line_length(rest), reasons::NOT_JSON),
        };
    }
    // Another JSON value: in an array up to its end, else only when it is the whole line.
    let line = line_length(rest);
    match value_length(if in_array { rest } else { &rest[..line] }) {
        Some(length) if in_array => plain(length, reasons::NOT_OBJECT),
        Some(length) if rest[length..line].trim().is_empty() => plain(line, reasons::NOT_OBJECT),
        _ => plain(line, reasons::NOT_JSON),
    }
}

/// The length of the JSON value at the start of `rest`, of any depth; none when it is no whole value.
fn value_length(rest: &str) -> Option<usize> {
    let mut reader = serde_json::Deserializer::from_str(rest);
    <&RawValue>::deserialize(&mut reader).ok().map(|value| value.get().len())
}

/// Up to the next line feed, without it, or to the end.
fn line_length(rest: &str) -> usize {
    memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len())
}

/// Reads the alert that `text` is into an empty one. Whether it is one object and nothing else.
pub(super) fn whole_alert<'a>(text: &'a str, alert: &mut Alert<'a>) -> bool {
    if !(text.starts_with('{') && text.ends_with('}')) {
        return false;
    }
    let mut reader = Reader::new(text, has_control(text));
    AlertSeed(alert).deserialize(&mut reader).is_ok() && reader.is_at_end()
}
