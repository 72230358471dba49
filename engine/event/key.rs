//! `Key`: an attribute name.
//!
//! Promises: comparing two interned keys compares addresses; names that come out of events are never interned,
//! so a hostile sender cannot grow the table. Interned keys carry their protobuf encoding, so writing one is a copy.

use super::Text;
use std::{
    collections::HashMap,
    fmt,
    sync::{LazyLock, RwLock},
};

/// An attribute name: interned (known to the program or to the configuration) or taken from an event.
#[derive(Clone)]
pub struct Key(Repr);

#[derive(Clone)]
enum Repr {
    Interned(&'static Interned),
    FromEvent(Text),
}

/// A name with its encoding as field 1 of an OTLP `KeyValue`.
struct Interned {
    name: &'static str,
    field: Box<[u8]>,
}

static TABLE: LazyLock<RwLock<HashMap<&'static str, &'static Interned>>> = LazyLock::new(RwLock::default);

impl Key {
    /// Interns a name of the program or of the configuration. The memory is never given back, so names out of
    /// events must not come here: use [`Key::from_event`].
    pub fn intern(name: &str) -> Self {
        if let Some(known) = lookup(name) {
            return Self(Repr::Interned(known));
        }
        let mut table = TABLE.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = table.get(name) {
            return Self(Repr::Interned(known));
        }
        let name: &'static str = Box::leak(name.into());
        let mut field = vec![0x0a];
        super::otlp::wire::put_varint(&mut field, name.len() as u64);
        field.extend_from_slice(name.as_bytes());
        let entry: &'static Interned = Box::leak(Box::new(Interned { name, field: field.into() }));
        table.insert(name, entry);
        Self(Repr::Interned(entry))
    }

    /// A name found in an event: the interned key when the name is known, else the text itself.
    pub fn from_event(name: Text) -> Self {
        match lookup(&name) {
            Some(known) => Self(Repr::Interned(known)),
            None => Self(Repr::FromEvent(name)),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Interned(known) => known.name,
            Repr::FromEvent(name) => name.as_str(),
        }
    }

    /// The encoding as field 1 of a `KeyValue`, for interned keys.
    pub(crate) fn encoded_field(&self) -> Option<&'static [u8]> {
        match &self.0 {
            Repr::Interned(known) => Some(&known.field),
            Repr::FromEvent(_) => None,
        }
    }
}

fn lookup(name: &str) -> Option<&'static Interned> {
    TABLE.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(name).copied()
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::Interned(a), Repr::Interned(b)) => std::ptr::eq(*a, *b),
            // A name may have been interned after an event's key was made, so the texts decide.
            _ => self.as_str() == other.as_str(),
        }
    }
}

impl Eq for Key {}

impl From<&'static str> for Key {
    fn from(name: &'static str) -> Self {
        Self::intern(name)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}
