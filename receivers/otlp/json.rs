//! OTLP/JSON to OTLP protobuf, for every signal, in one pass and without messages between.
//!
//! Promises: OTLP's own rules (lowerCamelCase names, ids in hex, other bytes in base64, enums as numbers, 64-bit
//! integers as strings or numbers, NaN and infinities as strings; unknown fields are left out, `null` is an absent
//! field); what breaks them is an error, never a guess; the output is bounded; nothing the text holds makes it panic
//! or recurse deeper than serde_json's limit of 128 levels.
//!
//! The text is read against the table of `lanner_engine::event::otlp::schema`, so a field that is added there is
//! understood here.

use super::json_scalar::{self, Scalar};
use lanner_engine::{
    event::otlp::schema::{Field, Kind, LOGS, METRICS, Schema, TRACES},
    prelude::Signal,
};
use serde::{
    Deserializer,
    de::{self, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// Wire types.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// A text that is no OTLP/JSON.
#[derive(Debug, thiserror::Error)]
#[error("not an OTLP/JSON {signal} request: {source}")]
pub struct JsonError {
    signal: Signal,
    source: serde_json::Error,
}

/// Makes the protobuf request that `text` describes.
///
/// # Errors
/// [`JsonError`] with the place.
pub fn to_protobuf(signal: Signal, text: &[u8]) -> Result<Vec<u8>, JsonError> {
    let schema = match signal {
        Signal::Logs => &LOGS,
        Signal::Metrics => &METRICS,
        Signal::Traces => &TRACES,
    };
    let mut out = Vec::with_capacity(text.len() / 2);
    // Looked at as a whole, because fields that are skipped are not.
    let read = std::str::from_utf8(text).map_err(serde_json::Error::custom).and_then(|text| {
        let mut text = serde_json::Deserializer::from_str(text);
        Message { schema, out: &mut out }.deserialize(&mut text)?;
        text.end()
    });
    read.map_err(|source| JsonError { signal, source })?;
    Ok(out)
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_key(out: &mut Vec<u8>, field: &Field, wire_type: u64) {
    put_varint(out, field.number << 3 | wire_type);
}

/// Writes what `fill` appends as a length-delimited field. The length is put in front afterwards.
fn put_delimited<E>(
    out: &mut Vec<u8>,
    field: &Field,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    put_key(out, field, BYTES);
    let start = out.len();
    fill(out)?;
    let mut length = Vec::with_capacity(4);
    put_varint(&mut length, (out.len() - start) as u64);
    out.splice(start..start, length);
    Ok(())
}

/// The fields of a message, appended to `out`.
struct Message<'a> {
    schema: &'static Schema,
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Message<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Message<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = 0u64;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let Some(at) = self.schema.0.iter().position(|field| field.name == name) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if seen >> at & 1 == 1 {
                return Err(A::Error::custom(format_args!("`{name}` is there twice")));
            }
            seen |= 1 << at;
            map.next_value_seed(Value { field: &self.schema.0[at], out: self.out })?;
        }
        Ok(())
    }
}

/// The value of a field, with its key; nothing for `null`.
struct Value<'a> {
    field: &'static Field,
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value of `{}`", self.field.name)
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match (self.field.repeated, self.field.kind) {
            (true, _) => deserializer.deserialize_seq(List { field: self.field, out: self.out }),
            (false, _) => Single { field: self.field, out: self.out, packed: false }.deserialize(deserializer),
        }
    }
}

/// The values of a repeated field.
struct List<'a> {
    field: &'static Field,
    out: &'a mut Vec<u8>,
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array for `{}`", self.field.name)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let field = self.field;
        // Numbers are packed, as proto3 writes them.
        let packed = !matches!(field.kind, Kind::Message(_) | Kind::Text | Kind::Hex | Kind::Base64);
        let mut fill = |out: &mut Vec<u8>| {
            while seq.next_element_seed(Single { field, out, packed })?.is_some() {}
            Ok(())
        };
        if packed {
            return put_delimited(self.out, field, fill);
        }
        fill(self.out)
    }
}

/// One value of a field; with its key unless it is packed.
struct Single<'a> {
    field: &'static Field,
    out: &'a mut Vec<u8>,
    packed: bool,
}

impl<'de> DeserializeSeed<'de> for Single<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { field, out, packed } = self;
        if let Kind::Message(schema) = field.kind {
            return put_delimited(out, field, |out| Message { schema, out }.deserialize(deserializer));
        }
        let scalar = json_scalar::read(deserializer, field)?;
        if !packed {
            let wire_type = match scalar {
                Scalar::Varint(_) => VARINT,
                Scalar::Fixed64(_) => FIXED64,
                Scalar::Fixed32(_) => FIXED32,
                Scalar::Bytes(_) => BYTES,
            };
            put_key(out, field, wire_type);
        }
        match scalar {
            Scalar::Varint(value) => put_varint(out, value),
            Scalar::Fixed64(value) => out.extend_from_slice(&value.to_le_bytes()),
            Scalar::Fixed32(value) => out.extend_from_slice(&value.to_le_bytes()),
            Scalar::Bytes(value) => {
                put_varint(out, value.len() as u64);
                out.extend_from_slice(&value);
            }
        }
        Ok(())
    }
}
