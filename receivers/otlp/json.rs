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

/// A text that cannot become a request.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    #[error("not an OTLP/JSON {signal} request: {source}")]
    Malformed { signal: Signal, source: serde_json::Error },
    /// Numbers can take more room in protobuf than in JSON.
    #[error("as protobuf the request is larger than {limit} bytes")]
    TooLarge { limit: usize },
}

/// Makes the protobuf request that `text` describes, of at most `limit` bytes.
///
/// # Errors
/// [`JsonError`], with the place of what is malformed.
pub fn to_protobuf(signal: Signal, text: &[u8], limit: usize) -> Result<Vec<u8>, JsonError> {
    let schema = match signal {
        Signal::Logs => &LOGS,
        Signal::Metrics => &METRICS,
        Signal::Traces => &TRACES,
    };
    let mut out = Out { bytes: Vec::with_capacity(text.len() / 2), limit };
    // Looked at as a whole, because fields that are skipped are not.
    let read = std::str::from_utf8(text).map_err(serde_json::Error::custom).and_then(|text| {
        let mut text = serde_json::Deserializer::from_str(text);
        Message { schema, out: &mut out }.deserialize(&mut text)?;
        text.end()
    });
    match read {
        _ if out.bytes.len() > limit => Err(JsonError::TooLarge { limit }),
        Ok(()) => Ok(out.bytes),
        Err(source) => Err(JsonError::Malformed { signal, source }),
    }
}

/// The protobuf made so far.
struct Out {
    bytes: Vec<u8>,
    limit: usize,
}

impl Out {
    fn varint(&mut self, value: u64) {
        put_varint(&mut self.bytes, value);
    }

    fn key(&mut self, field: &Field, wire_type: u64) {
        self.varint(field.number << 3 | wire_type);
    }

    fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Ends the reading soon after the limit was crossed.
    fn within_limit<E: de::Error>(&self) -> Result<(), E> {
        if self.bytes.len() > self.limit { Err(E::custom("too large")) } else { Ok(()) }
    }

    /// Writes what `fill` appends as a length-delimited field. The length is put in front afterwards.
    fn delimited<E>(&mut self, field: &Field, fill: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.key(field, BYTES);
        let start = self.bytes.len();
        fill(self)?;
        let mut length = Vec::with_capacity(4);
        put_varint(&mut length, (self.bytes.len() - start) as u64);
        self.bytes.splice(start..start, length);
        Ok(())
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The fields of a message, appended to `out`.
struct Message<'a> {
    schema: &'static Schema,
    out: &'a mut Out,
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
    out: &'a mut Out,
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
    out: &'a mut Out,
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
        let mut fill = |out: &mut Out| {
            while seq.next_element_seed(Single { field, out, packed })?.is_some() {}
            Ok(())
        };
        if packed {
            return self.out.delimited(field, fill);
        }
        fill(self.out)
    }
}

/// One value of a field; with its key unless it is packed.
struct Single<'a> {
    field: &'static Field,
    out: &'a mut Out,
    packed: bool,
}

impl<'de> DeserializeSeed<'de> for Single<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { field, out, packed } = self;
        if let Kind::Message(schema) = field.kind {
            return out.delimited(field, |out| Message { schema, out }.deserialize(deserializer));
        }
        let scalar = json_scalar::read(deserializer, field)?;
        if !packed {
            let wire_type = match scalar {
                Scalar::Varint(_) => VARINT,
                Scalar::Fixed64(_) => FIXED64,
                Scalar::Fixed32(_) => FIXED32,
                Scalar::Bytes(_) => BYTES,
            };
            out.key(field, wire_type);
        }
        match scalar {
            Scalar::Varint(value) => out.varint(value),
            Scalar::Fixed64(value) => out.append(&value.to_le_bytes()),
            Scalar::Fixed32(value) => out.append(&value.to_le_bytes()),
            Scalar::Bytes(value) => {
                out.varint(value.len() as u64);
                out.append(&value);
            }
        }
        out.within_limit()
    }
}
