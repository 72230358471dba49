//! `Lent`: a log record whose names and values are parts of something else, of a decoded record or of a request's bytes.
//!
//! Promises: what is lent says what the record says; nothing is copied, counted or allocated for a value without parts. Lists
//! and maps in a request's bytes stay bytes until somebody asks for them; they have been checked by then.
//!
//! Why: whoever writes a record once, in another form, needs none of its own.

use super::{Key, LogRecord, Resource, SeverityNumber, Value, key::Interned, otlp};
use std::borrow::Cow;

/// The name of an attribute.
#[derive(Clone, Copy, Debug)]
pub struct KeyRef<'a>(Name<'a>);

#[derive(Clone, Copy, Debug)]
enum Name<'a> {
    Interned(&'static Interned),
    /// Nobody had interned it when it was lent.
    Other(&'a str),
}

impl<'a> KeyRef<'a> {
    /// Lends an interned name; `None` when nobody has interned it.
    #[inline]
    pub(super) fn known(name: &[u8]) -> Option<Self> {
        Interned::of(name).map(|known| Self(Name::Interned(known)))
    }

    /// Lends a name that nobody has interned.
    pub(super) fn of(name: &'a str) -> Self {
        Self(Name::Other(name))
    }

    /// The name.
    pub fn as_str(self) -> &'a str {
        match self.0 {
            Name::Interned(known) => known.name(),
            Name::Other(name) => name,
        }
    }

    /// As [`Key::number`].
    pub fn number(self) -> Option<usize> {
        match self.0 {
            Name::Interned(known) => known.number(),
            Name::Other(name) => Interned::of(name.as_bytes())?.number(),
        }
    }

    /// Whether it is the name of `key`, which stands for this.
    #[inline]
    fn is(self, key: &Key, stands_for: Option<&'static Interned>) -> bool {
        match (self.0, stands_for) {
            (Name::Interned(here), Some(there)) => std::ptr::eq(here, there),
            _ => self.as_str() == key.as_str(),
        }
    }
}

impl Default for KeyRef<'_> {
    fn default() -> Self {
        Self::of("")
    }
}

impl<'a> From<&'a Key> for KeyRef<'a> {
    fn from(key: &'a Key) -> Self {
        key.as_interned().map_or_else(|| Self::of(key.as_str()), |known| Self(Name::Interned(known)))
    }
}

impl PartialEq<Key> for KeyRef<'_> {
    fn eq(&self, key: &Key) -> bool {
        self.is(key, key.as_interned())
    }
}

/// A [`Value`].
#[derive(Clone, Debug, Default)]
pub enum ValueRef<'a> {
    #[default]
    Empty,
    /// Owned only where whoever works with values has made one.
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
    /// Bytes, a list or a map.
    Decoded(&'a Value),
    /// The same as an OTLP `AnyValue`, which has been checked.
    Encoded(&'a [u8]),
}

impl<'a> ValueRef<'a> {
    /// The text, when it is one that was lent.
    pub fn as_lent_str(&self) -> Option<&'a str> {
        match self {
            Self::Text(Cow::Borrowed(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The items of a list; `None` when it is none.
    pub fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::Decoded(Value::Array(items)) => Some(items.iter().map(Self::from).collect()),
            Self::Encoded(bytes) => otlp::lent_items(bytes),
            _ => None,
        }
    }

    /// The value itself.
    pub fn to_value(&self) -> Cow<'a, Value> {
        match self {
            Self::Empty => Cow::Owned(Value::Empty),
            Self::Text(text) => Cow::Owned(Value::text(&**text)),
            Self::Bool(flag) => Cow::Owned(Value::Bool(*flag)),
            Self::Int(number) => Cow::Owned(Value::Int(*number)),
            Self::Double(number) => Cow::Owned(Value::Double(*number)),
            Self::Decoded(value) => Cow::Borrowed(value),
            Self::Encoded(bytes) => Cow::Owned(otlp::lent_value(bytes)),
        }
    }
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Empty => Self::Empty,
            Value::Text(text) => Self::Text(Cow::Borrowed(text)),
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Int(number) => Self::Int(*number),
            Value::Double(number) => Self::Double(*number),
            Value::Bytes(_) | Value::Array(_) | Value::Map(_) => Self::Decoded(value),
        }
    }
}

impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(here), Self::Text(there)) => here == there,
            _ => self.to_value() == other.to_value(),
        }
    }
}

/// Attributes, in their order.
#[derive(Clone, Debug, Default)]
pub struct AttributesRef<'a>(Vec<(KeyRef<'a>, ValueRef<'a>)>);

impl<'a> AttributesRef<'a> {
    /// The value of `key`.
    pub fn get(&self, key: &Key) -> Option<&ValueRef<'a>> {
        let stands_for = key.as_interned();
        self.0.iter().find(|(name, _)| name.is(key, stands_for)).map(|(_, value)| value)
    }

    /// The text of `key`, when it is one.
    pub fn get_str(&self, key: &Key) -> Option<&'a str> {
        self.get(key).and_then(ValueRef::as_lent_str)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &(KeyRef<'a>, ValueRef<'a>)> {
        self.0.iter()
    }

    /// None yet, and room for so many.
    pub(super) fn with_capacity(room: usize) -> Self {
        Self(Vec::with_capacity(room))
    }

    /// Adds one.
    #[inline]
    pub(super) fn push(&mut self, attribute: (KeyRef<'a>, ValueRef<'a>)) {
        self.0.push(attribute);
    }

    /// Takes all of them out; the room stays.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// A log record and the attributes of its resource.
#[derive(Clone, Debug, Default)]
pub struct Lent<'a> {
    pub resource: AttributesRef<'a>,
    pub attrs: AttributesRef<'a>,
    pub time_unix_nano: u64,
    pub observed_time_unix_nano: u64,
    pub severity_number: SeverityNumber,
    pub event_name: &'a str,
    pub body: ValueRef<'a>,
}

impl<'a> Lent<'a> {
    /// Lends a decoded record.
    pub fn of(resource: &'a Resource, record: &'a LogRecord) -> Self {
        let lend = |attributes: &'a super::Attributes| {
            AttributesRef(attributes.iter().map(|(key, value)| (key.into(), value.into())).collect())
        };
        Self {
            resource: lend(&resource.attrs),
            attrs: lend(&record.attrs),
            time_unix_nano: record.time_unix_nano,
            observed_time_unix_nano: record.observed_time_unix_nano,
            severity_number: record.severity_number,
            event_name: &record.event_name,
            body: (&record.body).into(),
        }
    }
}
