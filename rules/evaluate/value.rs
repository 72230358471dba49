//! What a field of an event is.

use std::net::IpAddr;

/// What a field of an event is. A value of another type than the schema says matches nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Value<'a> {
    /// The event has no such thing.
    #[default]
    Absent,
    /// Text; any bytes are allowed.
    Text(&'a [u8]),
    /// Bytes.
    Bytes(&'a [u8]),
    /// An integer of either sign.
    Int(i64),
    /// A count, a time in nanoseconds, a port.
    Uint(u64),
    /// A number with a fraction.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// An IP address.
    Ip(IpAddr),
    /// Many values. None at all is the same as [`Value::Absent`].
    List(&'a [Value<'a>]),
}

impl<'a> Value<'a> {
    /// Whether there is a value.
    #[inline]
    pub fn exists(&self) -> bool {
        !matches!(self, Self::Absent | Self::List([]))
    }

    /// The bytes of a text or of bytes.
    #[inline]
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Text(bytes) | Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// An integer.
    pub fn integer(&self) -> Option<i128> {
        match self {
            Self::Int(n) => Some(i128::from(*n)),
            Self::Uint(n) => Some(i128::from(*n)),
            _ => None,
        }
    }

    /// The members of a list; of something else, itself.
    pub fn members<'s>(&'s self) -> &'s [Value<'a>] {
        match self {
            Self::Absent => &[],
            Self::List(members) => members,
            one => std::slice::from_ref(one),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.as_bytes())
    }
}
