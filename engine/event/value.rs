//! `Value`: what an attribute or a body holds; OpenTelemetry's `AnyValue`.

use super::Text;
use bytes::Bytes;

/// An OpenTelemetry value. 64-bit integers stay integers.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// No value; an unset body.
    #[default]
    Empty,
    Text(Text),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Bytes),
    Array(Vec<Value>),
    /// Only bodies and attributes that arrived as OTLP hold maps; our own mappings never write one.
    Map(Vec<(Text, Value)>),
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// The text, when it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The integer, when it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl FromIterator<Text> for Value {
    fn from_iter<I: IntoIterator<Item = Text>>(texts: I) -> Self {
        Self::Array(texts.into_iter().map(Self::Text).collect())
    }
}
