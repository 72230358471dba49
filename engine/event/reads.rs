//! `Reads`: what somebody needs of log records, so that the rest need not be made.

use super::{Key, KeySet};

/// What is read of log records besides their times, severity, event name, flags, counts and ids. Resources are read whole.
#[derive(Clone, Debug, Default)]
pub struct Reads {
    /// Attributes of the record.
    pub attributes: KeySet,
    pub body: bool,
}

impl Reads {
    /// What this one or the other one needs.
    pub fn union(self, other: &Self) -> Self {
        Self { attributes: self.attributes.union(&other.attributes), body: self.body || other.body }
    }
}

impl FromIterator<Key> for Reads {
    /// Nothing but these attributes.
    fn from_iter<I: IntoIterator<Item = Key>>(attributes: I) -> Self {
        Self { attributes: attributes.into_iter().collect(), body: false }
    }
}
