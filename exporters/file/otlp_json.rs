//! OTLP protobuf to OTLP JSON, for every signal, without decoding into messages.
//!
//! Promises: OTLP's own rules (lowerCamelCase, ids in hex, other bytes in base64, enums as numbers, 64-bit integers as
//! strings, NaN and infinities as strings); exactly the fields that are on the wire, so nothing is invented; the
//! output is one line; nothing the bytes hold makes it panic or recurse deeper than [`DEPTH_LIMIT`].
//!
//! The bytes are read against the table of `lanner_engine::event::otlp::schema`. Values of a field may lie apart on the wire (two requests
//! merge by concatenation), so a message's values are sorted by field first, which keeps their order within a field.

use base64::{Engine, engine::general_purpose::STANDARD};
use lanner_engine::{
    event::otlp::schema::{Field, Kind, LOGS, METRICS, Schema, TRACES},
    prelude::Signal,
};

/// Messages nested deeper than this are refused; an alert needs about 10.
const DEPTH_LIMIT: usize = 100;

/// Bytes that are no OTLP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOtlp {
    #[error("not an OTLP request: a field is cut or damaged")]
    Damaged,
    #[error("not an OTLP request: messages are nested deeper than {DEPTH_LIMIT}")]
    TooDeep,
}

/// Appends a request as one JSON object.
///
/// # Errors
/// The bytes are no protobuf of this shape; `out` may then hold a part.
pub fn write_request(signal: Signal, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), NotOtlp> {
    let schema = match signal {
        Signal::Logs => &LOGS,
        Signal::Metrics => &METRICS,
        Signal::Traces => &TRACES,
    };
    message(schema, bytes, 0, out)
}

/// A value on the wire.
#[derive(Clone, Copy)]
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

fn message(schema: &Schema, bytes: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<(), NotOtlp> {
    if depth > DEPTH_LIMIT {
        return Err(NotOtlp::TooDeep);
    }
    let mut values = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (number, wire) = take_field(&mut rest)?;
        if let Some(index) = schema.0.iter().position(|field| field.number == number) {
            values.push((index, wire));
        }
    }
    values.sort_by_key(|(index, _)| *index);
    out.push(b'{');
    let mut first = true;
    for same in values.chunk_by(|a, b| a.0 == b.0) {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        // A chunk has at least one value, and its index came from the schema.
        let Some((field, last)) = same.last().and_then(|(index, last)| Some((schema.0.get(*index)?, last))) else {
            continue;
        };
        out.push(b'"');
        out.extend_from_slice(field.name.as_bytes());
        out.extend_from_slice(b"\":");
        if field.repeated {
            list(field, same.iter().map(|(_, wire)| *wire), depth, out)?;
        } else {
            // Of a repeated single field the last one counts, as in every protobuf reader.
            value(field.kind, *last, depth, out)?;
        }
    }
    out.push(b'}');
    Ok(())
}

fn list<'a>(
    field: &Field,
    values: impl Iterator<Item = Wire<'a>>,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), NotOtlp> {
    out.push(b'[');
    let start = out.len();
    let item = |wire, out: &mut Vec<u8>| {
        if out.len() > start {
            out.push(b',');
        }
        value(field.kind, wire, depth, out)
    };
    for wire in values {
        match (wire, field.kind) {
            (Wire::Bytes(bytes), Kind::Text | Kind::Hex | Kind::Base64 | Kind::Message(_)) => {
                item(Wire::Bytes(bytes), out)?;
            }
            (Wire::Bytes(mut packed), kind) => {
                while !packed.is_empty() {
                    item(take_packed(kind, &mut packed)?, out)?;
                }
            }
            (scalar, _) => item(scalar, out)?,
        }
    }
    out.push(b']');
    Ok(())
}

fn value(kind: Kind, wire: Wire<'_>, depth: usize, out: &mut Vec<u8>) -> Result<(), NotOtlp> {
    match (kind, wire) {
        (Kind::Message(schema), Wire::Bytes(bytes)) => return message(schema, bytes, depth + 1, out),
        (Kind::Text, Wire::Bytes(bytes)) => text(&String::from_utf8_lossy(bytes), out),
        (Kind::Base64, Wire::Bytes(bytes)) => text(&STANDARD.encode(bytes), out),
        (Kind::Hex, Wire::Bytes(bytes)) => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            out.push(b'"');
            out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
            out.push(b'"');
        }
        (Kind::Bool, Wire::Varint(bits)) => plain(&(bits != 0), out),
        (Kind::Varint, Wire::Varint(bits)) => plain(&(bits as i64), out),
        (Kind::Sint32, Wire::Varint(bits)) => plain(&((bits >> 1) as i64 ^ -((bits & 1) as i64)), out),
        (Kind::Fixed32, Wire::Fixed32(bits)) => plain(&bits, out),
        (Kind::Int64, Wire::Varint(bits)) => quoted(&(bits as i64), out),
        (Kind::Uint64, Wire::Varint(bits)) | (Kind::Fixed64, Wire::Fixed64(bits)) => quoted(&bits, out),
        (Kind::Sfixed64, Wire::Fixed64(bits)) => quoted(&(bits as i64), out),
        (Kind::Double, Wire::Fixed64(bits)) => double(f64::from_bits(bits), out),
        _ => return Err(NotOtlp::Damaged),
    }
    Ok(())
}

/// Writes a string, escaped; writing into memory cannot fail.
pub(super) fn text(text: &str, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, text);
}

/// Writes a double; JSON has no NaN and no infinities, so these are strings.
pub(super) fn double(number: f64, out: &mut Vec<u8>) {
    match number {
        _ if number.is_nan() => out.extend_from_slice(b"\"NaN\""),
        f64::INFINITY => out.extend_from_slice(b"\"Infinity\""),
        f64::NEG_INFINITY => out.extend_from_slice(b"\"-Infinity\""),
        _ => {
            let _ = serde_json::to_writer(out, &number);
        }
    }
}

fn plain(shown: &dyn std::fmt::Display, out: &mut Vec<u8>) {
    use std::io::Write;
    let _ = write!(out, "{shown}");
}

fn quoted(shown: &dyn std::fmt::Display, out: &mut Vec<u8>) {
    use std::io::Write;
    let _ = write!(out, "\"{shown}\"");
}

fn take_field<'a>(rest: &mut &'a [u8]) -> Result<(u64, Wire<'a>), NotOtlp> {
    let key = take_varint(rest)?;
    let wire = match key & 7 {
        0 => Wire::Varint(take_varint(rest)?),
        1 => Wire::Fixed64(u64::from_le_bytes(take(rest)?)),
        2 => {
            let length = usize::try_from(take_varint(rest)?).map_err(|_| NotOtlp::Damaged)?;
            let (bytes, behind) = rest.split_at_checked(length).ok_or(NotOtlp::Damaged)?;
            *rest = behind;
            Wire::Bytes(bytes)
        }
        5 => Wire::Fixed32(u32::from_le_bytes(take(rest)?)),
        _ => return Err(NotOtlp::Damaged),
    };
    Ok((key >> 3, wire))
}

fn take_packed<'a>(kind: Kind, packed: &mut &[u8]) -> Result<Wire<'a>, NotOtlp> {
    Ok(match kind {
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => Wire::Fixed64(u64::from_le_bytes(take(packed)?)),
        Kind::Fixed32 => Wire::Fixed32(u32::from_le_bytes(take(packed)?)),
        _ => Wire::Varint(take_varint(packed)?),
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], NotOtlp> {
    let (bytes, behind) = rest.split_first_chunk::<N>().ok_or(NotOtlp::Damaged)?;
    *rest = behind;
    Ok(*bytes)
}

fn take_varint(rest: &mut &[u8]) -> Result<u64, NotOtlp> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let [byte] = take(rest)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(NotOtlp::Damaged)
}
