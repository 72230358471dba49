//! `Original`: an alert as it came, for the two places that need its own text.

use crate::event::Value;
use std::borrow::Cow;

/// What an alert was made from.
pub(super) enum Original<'a> {
    /// Its JSON, inside the body.
    Text(&'a str),
    /// A map that another agent made of its JSON.
    Map(&'a Value),
    /// Its parts: it never was JSON.
    Parts,
}

impl Original<'_> {
    /// Its JSON, if it was any; that of a map is written only when somebody asks.
    pub fn json(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Map(value) => Some(Cow::Owned(value.to_json())),
            Self::Parts => None,
        }
    }
}
