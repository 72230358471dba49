//! What transformers make.

use super::{Arena, Value, getopt};
use crate::language::Transformer;
use base64::{Engine, alphabet, engine};
use bumpalo::collections::Vec;
use std::io::Write;

/// Padding is optional, as in Falco.
const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::STANDARD,
    engine::GeneralPurposeConfig::new()
        .with_decode_padding_mode(engine::DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Applies a transformer. Anything missing among the arguments makes the result missing.
pub(super) fn apply<'e>(
    transformer: Transformer,
    arguments: &[Value<'e>],
    key: Option<&str>,
    arena: &'e Arena,
) -> Value<'e> {
    let first = arguments.first().copied().unwrap_or_default();
    match transformer {
        Transformer::Tolower => each(first, arena, |bytes| folded(bytes, arena, u8::is_ascii_uppercase)),
        Transformer::Toupper => each(first, arena, |bytes| folded(bytes, arena, u8::is_ascii_lowercase)),
        Transformer::Basename => each(first, arena, |bytes| Some(basename(bytes))),
        Transformer::B64 => each(first, arena, |bytes| decoded(bytes, arena)),
        Transformer::Len => match first {
            Value::List(members) => Value::Uint(members.len() as u64),
            other => other.bytes().map_or(Value::Absent, |bytes| Value::Uint(bytes.len() as u64)),
        },
        Transformer::Join => match arguments {
            [separator, Value::List(members)] => {
                separator.bytes().map_or(Value::Absent, |separator| joined(separator, members, arena))
            }
            _ => Value::Absent,
        },
        Transformer::Concat => joined(b"", arguments, arena),
        Transformer::Getopt => match arguments {
            [Value::List(words), options] => {
                options.bytes().map_or(Value::Absent, |options| getopt::options(words, options, key, arena))
            }
            _ => Value::Absent,
        },
    }
}

/// Transforms a text, or each text of a list.
fn each<'e>(value: Value<'e>, arena: &'e Arena, make: impl Fn(&'e [u8]) -> Option<&'e [u8]>) -> Value<'e> {
    let one = |value: Value<'e>| match value {
        Value::Text(bytes) => make(bytes).map_or(Value::Absent, Value::Text),
        Value::Bytes(bytes) => make(bytes).map_or(Value::Absent, Value::Bytes),
        _ => Value::Absent,
    };
    let Value::List(members) = value else { return one(value) };
    let members = arena.bump().alloc_slice_fill_iter(members.iter().map(|member| one(*member)));
    if members.iter().all(Value::exists) { Value::List(members) } else { Value::Absent }
}

/// The same text, with the bytes that `is_other_case` names in the other case.
fn folded<'e>(bytes: &'e [u8], arena: &'e Arena, is_other_case: fn(&u8) -> bool) -> Option<&'e [u8]> {
    if !bytes.iter().any(is_other_case) {
        return Some(bytes);
    }
    let copy = arena.bump().alloc_slice_copy(bytes);
    for byte in copy.iter_mut().filter(|byte| is_other_case(byte)) {
        *byte ^= 0x20;
    }
    Some(copy)
}

fn basename(path: &[u8]) -> &[u8] {
    let start = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
    path.get(start..).unwrap_or_default()
}

fn decoded<'e>(text: &[u8], arena: &'e Arena) -> Option<&'e [u8]> {
    let buffer = arena.bump().alloc_slice_fill_copy(base64::decoded_len_estimate(text.len()), 0);
    let length = BASE64.decode_slice(text, buffer).ok()?;
    buffer.get(..length)
}

fn joined<'e>(separator: &[u8], parts: &[Value<'e>], arena: &'e Arena) -> Value<'e> {
    let mut text = Vec::new_in(arena.bump());
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            text.extend_from_slice(separator);
        }
        // Writing to a vector cannot fail.
        let _ = match part {
            Value::Text(bytes) | Value::Bytes(bytes) => {
                text.extend_from_slice(bytes);
                Ok(())
            }
            Value::Int(n) => write!(Writer(&mut text), "{n}"),
            Value::Uint(n) => write!(Writer(&mut text), "{n}"),
            Value::Float(n) => write!(Writer(&mut text), "{n:.1}"),
            Value::Bool(is) => write!(Writer(&mut text), "{is}"),
            Value::Ip(ip) => write!(Writer(&mut text), "{ip}"),
            Value::Absent | Value::List(_) => return Value::Absent,
        };
    }
    Value::Text(text.into_bump_slice())
}

struct Writer<'v, 'e>(&'v mut Vec<'e, u8>);

impl Write for Writer<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
