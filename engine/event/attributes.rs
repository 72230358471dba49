//! `Attributes`: a flat list of names and values.
//!
//! Promises: keeps the order of insertion; `set` keeps names unique. A vector with a linear scan beats a map at
//! the sizes events have (about 30 attributes), because interned keys compare by address.

use super::{Key, Value};

/// Names and values, in insertion order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(Vec<(Key, Value)>);

impl Attributes {
    /// Room for `capacity` attributes without another allocation.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of `key`.
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The text of `key`, when it is one.
    pub fn get_str(&self, key: &Key) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// Whether `key` has a value.
    pub fn contains(&self, key: &Key) -> bool {
        self.get(key).is_some()
    }

    /// Gives `key` this value, in the place of an earlier one.
    pub fn set(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        let key = key.into();
        match self.0.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((key, value.into())),
        }
    }

    /// Adds without looking for an earlier value: for a mapping that knows its names to be distinct.
    pub fn push(&mut self, key: Key, value: Value) {
        self.0.push((key, value));
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &Key) -> Option<Value> {
        let index = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(index).1)
    }

    /// Takes all of them out; the room stays.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &Value)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// All of them, values changeable.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&Key, &mut Value)> {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// Keeps those for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&Key, &Value) -> bool) {
        self.0.retain(|(key, value)| keep(key, value));
    }
}

impl IntoIterator for Attributes {
    type Item = (Key, Value);
    type IntoIter = std::vec::IntoIter<(Key, Value)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(Key, Value)> for Attributes {
    /// The last value of a repeated name wins.
    fn from_iter<I: IntoIterator<Item = (Key, Value)>>(pairs: I) -> Self {
        let mut attributes = Self::default();
        for (key, value) in pairs {
            attributes.set(key, value);
        }
        attributes
    }
}
