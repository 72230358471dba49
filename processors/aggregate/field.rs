//! The seam to the fields and conditions of records.

use lanner_engine::{prelude::*, semantics};
use std::borrow::Cow;

/// A record with its resource.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    pub resource: &'a Resource,
    pub record: &'a LogRecord,
}

/// A field of records.
#[derive(Clone, Debug)]
pub struct Field {
    name: String,
    key: Key,
}

impl Field {
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), key: Key::intern(name) }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn text<'a>(&self, seen: Seen<'a>) -> Option<Cow<'a, str>> {
        match seen.record.attrs.get(&self.key).or_else(|| seen.resource.attrs.get(&self.key))? {
            Value::Text(text) => Some(Cow::Borrowed(text.as_str())),
            Value::Empty => None,
            other => Some(Cow::Owned(other.to_json())),
        }
    }
}

/// Which records take part.
pub struct Condition;

impl Condition {
    pub fn holds(&self, seen: Seen<'_>) -> bool {
        semantics::is_alert(seen.record)
    }
}
