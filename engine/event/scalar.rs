//! `Scalar`: a value without parts, borrowed where it can be: what a mapping says before anybody keeps it.

use super::{Text, Value};
use std::{borrow::Cow, sync::Arc};

/// A value of an attribute, or an item of a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'v> {
    Empty,
    Text(Cow<'v, str>),
    /// A text of the program.
    Word(&'static str),
    /// A text that is kept already.
    Shared(&'v Text),
    Bool(bool),
    Int(i64),
    Double(f64),
}

impl Scalar<'_> {
    /// The text, when it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Word(word) => Some(word),
            Self::Shared(text) => Some(text),
            _ => None,
        }
    }

    /// The value to keep; a text that lies in `owner` stays a range of it.
    pub fn keep(&self, owner: &Arc<str>) -> Value {
        match self {
            Self::Empty => Value::Empty,
            Self::Text(text) => Value::Text(Text::slice_of(owner, text)),
            Self::Word(word) => Value::Text(Text::from_static(word)),
            Self::Shared(text) => Value::Text((*text).clone()),
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(number) => Value::Int(*number),
            Self::Double(number) => Value::Double(*number),
        }
    }
}
