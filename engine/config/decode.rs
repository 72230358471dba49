//! The typed decode: a serde deserializer over [`Node`].
//!
//! Promises: text stays as written (`0123` into a `String` is `0123`); nothing is converted: `"5"` is no number;
//! an error says where it is. Text for a list is split at commas, as in the Collector.

use super::{
    Node, NodeKey, NodeValue,
    node::{Path, Step},
    scalar,
};
use serde::{
    Deserializer,
    de::{self, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};
use std::fmt;

/// What serde could not use, and where.
#[derive(Clone, Debug)]
pub(crate) struct DecodeError {
    pub message: String,
    /// From the outside in.
    pub path: Path,
}

impl DecodeError {
    fn within(mut self, step: Step) -> Self {
        self.path.0.insert(0, step);
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), path: Path::default() }
    }
}

/// Decodes a tree.
pub(crate) fn decode<T: de::DeserializeOwned>(node: &Node) -> Result<T, DecodeError> {
    T::deserialize(NodeDeserializer(node))
}

#[derive(Clone, Copy)]
struct NodeDeserializer<'a>(&'a Node);

impl<'a> NodeDeserializer<'a> {
    /// A plain scalar as a number.
    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.0.value {
            NodeValue::Scalar { text, plain: true } => {
                if let Some(int) = scalar::as_int(text) {
                    return integer(int, visitor);
                }
                match scalar::as_float(text) {
                    Some(float) => visitor.visit_f64(float),
                    None => Err(self.unexpected(&visitor)),
                }
            }
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn unexpected<'de>(self, visitor: &dyn ExpectedBy<'de>) -> DecodeError {
        de::Error::custom(format_args!("found {}, expected {}", self.0.describe(), visitor.words()))
    }
}

/// What a visitor expects, without its type.
trait ExpectedBy<'de> {
    fn words(&self) -> String;
}

impl<'de, V: Visitor<'de>> ExpectedBy<'de> for V {
    fn words(&self) -> String {
        (self as &dyn de::Expected).to_string()
    }
}

fn integer<'de, V: Visitor<'de>>(int: i128, visitor: V) -> Result<V::Value, DecodeError> {
    match (u64::try_from(int), i64::try_from(int)) {
        (Ok(int), _) => visitor.visit_u64(int),
        (_, Ok(int)) => visitor.visit_i64(int),
        _ => Err(de::Error::custom(format_args!("{int} has more than 64 bits"))),
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            self.number(visitor)
        })*
    };
}

macro_rules! texts {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            match &self.0.value {
                NodeValue::Scalar { text, .. } => visitor.visit_str(text),
                _ => Err(self.unexpected(&visitor)),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for NodeDeserializer<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.0.value {
            NodeValue::Null => visitor.visit_unit(),
            NodeValue::List(_) => self.deserialize_seq(visitor),
            NodeValue::Map(_) => self.deserialize_map(visitor),
            NodeValue::Scalar { text, plain: false } => visitor.visit_str(text),
            NodeValue::Scalar { text, plain: true } => match (scalar::as_bool(text), scalar::as_float(text)) {
                (Some(yes), _) => visitor.visit_bool(yes),
                (None, Some(_)) => self.number(visitor),
                (None, None) => visitor.visit_str(text),
            },
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
    }

    texts! { deserialize_char deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.0.value {
            NodeValue::Scalar { text, plain: true } if scalar::as_bool(text).is_some() => {
                visitor.visit_bool(scalar::as_bool(text) == Some(true))
            }
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.0.is_null() { visitor.visit_unit() } else { Err(self.unexpected(&visitor)) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let items = match &self.0.value {
            NodeValue::List(items) => items,
            NodeValue::Scalar { text, .. } => {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                return visitor.visit_seq(de::value::SeqDeserializer::new(words));
            }
            _ => return Err(self.unexpected(&visitor)),
        };
        visitor.visit_seq(Items { items, next: 0 })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.0.value {
            NodeValue::Null => visitor.visit_map(Entries { entries: &[], next: 0 }),
            NodeValue::Map(entries) => visitor.visit_map(Entries { entries, next: 0 }),
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.0.value {
            NodeValue::Scalar { text, .. } => visitor.visit_enum((&**text).into_deserializer()),
            NodeValue::Map(entries) if entries.len() == 1 => {
                visitor.visit_enum(de::value::MapAccessDeserializer::new(Entries { entries, next: 0 }))
            }
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bytes byte_buf unit_struct tuple tuple_struct }
}

struct Items<'a> {
    items: &'a [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        let Some(item) = self.items.get(self.next) else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        seed.deserialize(NodeDeserializer(item)).map(Some).map_err(|error| error.within(Step::Index(index)))
    }
}

struct Entries<'a> {
    entries: &'a [(NodeKey, Node)],
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        let Some((key, _)) = self.entries.get(self.next) else { return Ok(None) };
        seed.deserialize((&*key.text).into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        let Some((key, value)) = self.entries.get(self.next) else {
            return Err(de::Error::custom("a value without a key"));
        };
        self.next += 1;
        seed.deserialize(NodeDeserializer(value)).map_err(|error| error.within(Step::Key(key.text.clone())))
    }
}
