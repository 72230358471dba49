//! A [`Value`] as a source for serde, so that what reads JSON reads the map that another agent made of it as well.
//!
//! Promises: 64-bit integers stay integers; text is lent, not copied; bytes count as text, and what of them is no UTF-8
//! becomes U+FFFD. Values nest at most [`MAX_DEPTH`](super::otlp::MAX_DEPTH) deep as OTLP and 128 deep as JSON: both decoders
//! see to it.

use super::{Text, Value};
use serde::{
    Deserialize, Serialize, Serializer,
    de::{
        Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::{BorrowedStrDeserializer, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
    ser::{SerializeMap, SerializeSeq},
};
use std::{borrow::Cow, fmt};

/// The value does not have the shape that is asked for.
type NotReadable = serde::de::value::Error;

impl Value {
    /// Reads JSON; `None` when the text is none, or nests deeper than 128. An unsigned number over the signed range
    /// becomes its text.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str::<FromJson>(text).ok().map(|FromJson(value)| value)
    }

    /// The value as compact JSON. A number that JSON cannot express becomes `null`.
    pub fn to_json(&self) -> String {
        // Keys are text and writing to memory cannot fail.
        serde_json::to_string(&Json(self)).unwrap_or_default()
    }
}

impl<'de> Deserializer<'de> for &'de Value {
    type Error = NotReadable;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotReadable> {
        match self {
            Value::Empty => visitor.visit_unit(),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Int(number) => visitor.visit_i64(*number),
            Value::Double(number) => visitor.visit_f64(*number),
            Value::Bytes(bytes) => match String::from_utf8_lossy(bytes) {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Value::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.iter())),
            Value::Map(pairs) => visitor.visit_map(MapDeserializer::new(pairs.iter().map(pair))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotReadable> {
        match self {
            Value::Empty => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, NotReadable> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

fn pair((key, value): &(Text, Value)) -> (BorrowedStrDeserializer<'_, NotReadable>, &Value) {
    (BorrowedStrDeserializer::new(key), value)
}

impl<'de> IntoDeserializer<'de, NotReadable> for &'de Value {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

/// A value read from plain JSON.
struct FromJson(Value);

impl<'de> Deserialize<'de> for FromJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor).map(Self)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Empty)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number).map_or_else(|_| Value::text(number.to_string()), Value::Int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Double(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(FromJson(item)) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some((key, FromJson(value))) = map.next_entry::<String, _>()? {
            pairs.push((key.into(), value));
        }
        Ok(Value::Map(pairs))
    }
}

/// A value as plain JSON; OTLP has a JSON form of its own, which this is not.
struct Json<'v>(&'v Value);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Empty => serializer.serialize_unit(),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Double(number) => serializer.serialize_f64(*number),
            Value::Bytes(bytes) => serializer.serialize_str(&String::from_utf8_lossy(bytes)),
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(&Json(item)))?;
                list.end()
            }
            Value::Map(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                pairs.iter().try_for_each(|(key, value)| map.serialize_entry(key.as_str(), &Json(value)))?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        Value::Map(vec![
            ("time".into(), Value::Int(1_618_347_519_000_000_001)),
            ("least".into(), Value::Int(i64::MIN)),
            ("text".into(), "a \"b\" ü".into()),
            ("ratio".into(), Value::Double(0.5)),
            ("none".into(), Value::Empty),
            ("raw".into(), Value::Bytes(bytes::Bytes::from_static(b"ab\xff"))),
            ("list".into(), Value::Array(vec![Value::Bool(true), Value::Map(Vec::new())])),
        ])
    }

    /// Scenario: every kind of value, with integers that a 64-bit float would round.
    /// Guarantee: the JSON is exact and compact, in the order of the map.
    #[test]
    fn json_is_exact() {
        assert_eq!(
            sample().to_json(),
            r#"{"time":1618347519000000001,"least":-9223372036854775808,"text":"a \"b\" ü","ratio":0.5,"none":null,"raw":"ab�","list":[true,{}]}"#
        );
    }

    /// Scenario: that JSON read again; numbers over the signed range; what is no JSON.
    /// Guarantee: the same value, but for bytes, which JSON has none of; nothing is rounded; no panic.
    #[test]
    fn json_is_read_back() {
        let again = Value::from_json(&sample().to_json());
        assert_eq!(again.map(|value| value.to_json()), Some(sample().to_json()));
        assert_eq!(Value::from_json("18446744073709551615"), Some(Value::text("18446744073709551615")));
        for text in ["", "{", "{}x", &"[".repeat(500)] {
            assert_eq!(Value::from_json(text), None);
        }
    }

    /// Scenario: the same value read directly, and from its JSON.
    /// Guarantee: both give the same, for whoever reads by serde; text is borrowed from the value.
    #[test]
    fn reading_it_is_reading_its_json() {
        let value = sample();
        let direct = serde_json::Value::deserialize(&value).expect("any value");
        let by_text: serde_json::Value = serde_json::from_str(&value.to_json()).expect("JSON");
        assert_eq!(direct, by_text);
        #[derive(Deserialize)]
        struct Borrowing<'a> {
            text: &'a str,
            none: Option<&'a str>,
            time: u64,
        }
        let Borrowing { text, none, time } = Borrowing::deserialize(&value).expect("the shape fits");
        assert_eq!((text, none, time), ("a \"b\" ü", None, 1_618_347_519_000_000_001));
    }
}
