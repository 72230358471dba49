//! Reading `AnyValue` and `KeyValue`, of which everything else is made up.
//!
//! Promises: no input panics; values nest at most [`MAX_DEPTH`] deep; text that is not UTF-8 is an error, as protobuf demands.
//! What is made of a value ([`Make`]) has no part in what is an error: who only checks one refuses what its reader refuses.

use super::{
    DecodeError,
    wire::{Field, Reader},
};
use crate::event::{Text, Value};
use bytes::Bytes;

/// How deep values may nest.
pub const MAX_DEPTH: usize = 64;

/// What is made of texts and values.
pub(super) trait Make {
    type Text: Default;
    type Value: Default + for<'a> From<Any<'a, Self::Text, Self::Value>>;

    /// A text, once it is known to be one.
    fn text(&self, at: &Reader<'_>, part: &[u8]) -> Result<Self::Text, DecodeError>;
}

/// A value whose parts are made.
pub(super) enum Any<'a, T, V> {
    Text(T),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    Array(Vec<V>),
    Map(Vec<(T, V)>),
}

impl From<Any<'_, Text, Self>> for Value {
    fn from(any: Any<'_, Text, Self>) -> Self {
        match any {
            Any::Text(text) => Self::Text(text),
            Any::Bool(flag) => Self::Bool(flag),
            Any::Int(number) => Self::Int(number),
            Any::Double(number) => Self::Double(number),
            Any::Bytes(bytes) => Self::Bytes(Bytes::copy_from_slice(bytes)),
            Any::Array(items) => Self::Array(items),
            Any::Map(pairs) => Self::Map(pairs),
        }
    }
}

/// Reads a `KeyValue`: `key` sees each name, the last of which counts, and what is made of the value is given back.
pub(super) fn key_value<'a, M: Make>(
    mut fields: Reader<'a>,
    make: &M,
    mut key: impl FnMut(&Reader<'a>, &'a [u8]) -> Result<(), DecodeError>,
) -> Result<M::Value, DecodeError> {
    let mut attribute = M::Value::default();
    while let Some((tag, field)) = fields.next_short()? {
        match (tag, field) {
            (1, Field::Bytes(part)) => key(&fields, part)?,
            (2, Field::Bytes(part)) => attribute = value(fields.nested(part), make, MAX_DEPTH)?,
            _ => {}
        }
    }
    Ok(attribute)
}

/// Reads an `AnyValue` that may nest so deep; of several members the last one wins, as protobuf's `oneof` demands.
pub(super) fn value<M: Make>(mut fields: Reader<'_>, make: &M, depth: usize) -> Result<M::Value, DecodeError> {
    let Some(depth) = depth.checked_sub(1) else { return Err(fields.error("values nested deeper than 64")) };
    if let Some(part) = short_text(fields.message()) {
        return Ok(Any::Text(make.text(&fields, part)?).into());
    }
    let mut any = M::Value::default();
    while let Some((tag, field)) = fields.next_short()? {
        let member = match (tag, field) {
            (1, Field::Bytes(part)) => Any::Text(make.text(&fields, part)?),
            (2, Field::Varint(flag)) => Any::Bool(flag != 0),
            (3, Field::Varint(number)) => Any::Int(number as i64),
            (4, Field::Fixed64(bits)) => Any::Double(f64::from_bits(bits)),
            (5, Field::Bytes(part)) => Any::Array(array(fields.nested(part), make, depth)?),
            (6, Field::Bytes(part)) => Any::Map(map(fields.nested(part), make, depth)?),
            (7, Field::Bytes(part)) => Any::Bytes(part),
            _ => continue,
        };
        any = member.into();
    }
    Ok(any)
}

/// Reads the items of a list.
pub(super) fn array<M: Make>(mut fields: Reader<'_>, make: &M, depth: usize) -> Result<Vec<M::Value>, DecodeError> {
    let mut items = Vec::new();
    while let Some((tag, field)) = fields.next_short()? {
        if let (1, Field::Bytes(part)) = (tag, field) {
            items.push(value(fields.nested(part), make, depth)?);
        }
    }
    Ok(items)
}

pub(super) type Pairs<M> = Vec<(<M as Make>::Text, <M as Make>::Value)>;

/// Reads the pairs of a map.
pub(super) fn map<M: Make>(mut fields: Reader<'_>, make: &M, depth: usize) -> Result<Pairs<M>, DecodeError> {
    let mut pairs = Pairs::<M>::new();
    while let Some((tag, field)) = fields.next_short()? {
        let (1, Field::Bytes(part)) = (tag, field) else { continue };
        let mut pair = fields.nested(part);
        let (mut key, mut item) = <(M::Text, M::Value)>::default();
        while let Some((tag, field)) = pair.next_short()? {
            match (tag, field) {
                (1, Field::Bytes(part)) => key = make.text(&pair, part)?,
                (2, Field::Bytes(part)) => item = value(pair.nested(part), make, depth)?,
                _ => {}
            }
        }
        pairs.push((key, item));
    }
    Ok(pairs)
}

/// The text of an `AnyValue` with a short one and nothing else: most are. It is not known to be UTF-8.
#[inline]
pub(super) fn short_text(any: &[u8]) -> Option<&[u8]> {
    let [0x0a, length @ ..0x80, text @ ..] = any else { return None };
    (usize::from(*length) == text.len()).then_some(text)
}

/// The name and the text of a `KeyValue` with a short text, written as everybody writes it: most are. Neither is known to be
/// UTF-8.
#[inline]
pub(super) fn short_attribute(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x0a, length @ ..0x80, rest @ ..] = pair else { return None };
    let (name, rest) = rest.split_at_checked((*length).into())?;
    let [0x12, value @ ..0x80, 0x0a, length, text @ ..] = rest else { return None };
    let is_one = usize::from(*length) == text.len() && usize::from(*value) == 2 + text.len();
    is_one.then_some((name, text))
}

/// The same of one in ASCII, which is sound. Not made of the other one: a filter then takes 2.8 % more instructions.
pub(super) fn text_attribute(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x0a, length, rest @ ..] = pair else { return None };
    let (name, rest) = rest.split_at_checked((*length).into())?;
    let [0x12, value, 0x0a, length, text @ ..] = rest else { return None };
    // In ASCII no length takes more than a byte.
    let is_one = usize::from(*length) == text.len() && usize::from(*value) == 2 + text.len();
    (is_one && pair.is_ascii()).then_some((name, text))
}

/// The text that a part of a message is.
pub(super) fn text<'p>(at: &Reader<'_>, part: &'p [u8]) -> Result<&'p str, DecodeError> {
    std::str::from_utf8(part).map_err(|_| at.error("text that is not UTF-8"))
}

/// Whether a part of a message is a text. Most are ASCII, which is seen sooner.
pub(super) fn check_text(at: &Reader<'_>, part: &[u8]) -> Result<(), DecodeError> {
    if part.is_ascii() { Ok(()) } else { text(at, part).map(drop) }
}

/// Makes values that share nothing.
pub(super) struct Own;

impl Make for Own {
    type Text = Text;
    type Value = Value;

    fn text(&self, at: &Reader<'_>, part: &[u8]) -> Result<Text, DecodeError> {
        text(at, part).map(Text::from)
    }
}

/// Makes nothing, so that all it does is to find errors.
pub(super) struct Check;

/// A value, known to be sound.
#[derive(Default)]
pub(super) struct Sound;

impl Make for Check {
    type Text = ();
    type Value = Sound;

    fn text(&self, at: &Reader<'_>, part: &[u8]) -> Result<(), DecodeError> {
        check_text(at, part)
    }
}

impl From<Any<'_, (), Self>> for Sound {
    #[inline]
    fn from(_: Any<'_, (), Self>) -> Self {
        Self
    }
}
