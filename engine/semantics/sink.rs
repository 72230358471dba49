//! `Sink`: where a mapping puts the attributes it finds: into a record, or into the bytes of one.
//!
//! Promises ([`Capped`]): every attribute counts against the cap, kept or not; whether there is one of a name is told without
//! looking through them, for names that somebody has interned.

use crate::event::{Attributes, Key, KeySet, Scalar, Value, otlp::AttributeBytes};
use std::sync::Arc;

/// A list of attributes that only grows.
pub(super) trait Sink {
    /// Whether the value of an attribute matters; of others the names alone do.
    fn wants(&self, _: &Key) -> bool {
        true
    }

    /// Whether the text of the event matters.
    fn wants_body(&self) -> bool {
        true
    }

    fn push(&mut self, key: &Key, value: &Scalar<'_>);
    fn push_list<'v>(&mut self, key: &Key, items: impl Iterator<Item = Scalar<'v>>);
}

/// Attributes to keep, with texts as ranges of `body`.
pub(super) struct Kept<'b> {
    body: &'b Arc<str>,
    pub attrs: Attributes,
    /// The names of those whose values matter, if not all of them do; the others are not kept.
    wanted: Option<&'b KeySet>,
}

impl<'b> Kept<'b> {
    pub fn new(body: &'b Arc<str>, wanted: Option<&'b KeySet>, room: usize) -> Self {
        /// Few are asked for.
        const FEW: usize = 8;
        let room = if wanted.is_some() { FEW } else { room };
        Self { body, attrs: Attributes::with_capacity(room), wanted }
    }
}

impl Sink for Kept<'_> {
    fn wants(&self, key: &Key) -> bool {
        self.wanted.is_none_or(|wanted| wanted.contains(key))
    }

    fn wants_body(&self) -> bool {
        self.wanted.is_none()
    }

    fn push(&mut self, key: &Key, value: &Scalar<'_>) {
        if self.wants(key) {
            self.attrs.push(key.clone(), value.keep(self.body));
        }
    }

    fn push_list<'v>(&mut self, key: &Key, items: impl Iterator<Item = Scalar<'v>>) {
        if self.wants(key) {
            self.attrs.push(key.clone(), Value::Array(items.map(|item| item.keep(self.body)).collect()));
        }
    }
}

impl Sink for AttributeBytes {
    fn push(&mut self, key: &Key, value: &Scalar<'_>) {
        AttributeBytes::push(self, key, value);
    }

    fn push_list<'v>(&mut self, key: &Key, items: impl Iterator<Item = Scalar<'v>>) {
        AttributeBytes::push_list(self, key, items);
    }
}

/// The names of the attributes that were pushed.
#[derive(Default)]
struct Names {
    count: usize,
    /// One bit per number of an interned name.
    known: [u64; 16],
    /// Those that nobody has interned, or too late to have a bit.
    others: Vec<Key>,
}

impl Names {
    fn add(&mut self, key: &Key) {
        self.count += 1;
        match key.interned_number().and_then(|number| Some((self.known.get_mut(number / 64)?, number % 64))) {
            Some((word, bit)) => *word |= 1 << bit,
            None => self.others.push(key.clone()),
        }
    }

    fn contains(&self, key: &Key) -> bool {
        let is_known = |number: usize| self.known.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1);
        // One that was no interned name when it was pushed may be one now.
        key.number().is_some_and(is_known) || self.others.contains(key)
    }
}

/// Attributes up to the cap.
pub(super) struct Capped<S> {
    pub sink: S,
    names: Names,
    max: usize,
    pub dropped: u32,
}

impl<S: Sink> Capped<S> {
    pub fn new(sink: S, max: usize) -> Self {
        Self { sink, names: Names::default(), max, dropped: 0 }
    }

    /// Takes the name of an attribute, if there is room for one.
    #[inline]
    fn admits(&mut self, key: &Key) -> bool {
        let room = self.names.count < self.max;
        if room {
            self.names.add(key);
        } else {
            self.drop(1);
        }
        room
    }

    /// Counts attributes that are not there.
    pub fn drop(&mut self, count: u32) {
        self.dropped = self.dropped.saturating_add(count);
    }

    pub fn contains(&self, key: &Key) -> bool {
        self.names.contains(key)
    }

    /// Adds an attribute that is not there yet.
    #[inline]
    pub fn push(&mut self, key: &Key, value: &Scalar<'_>) {
        if self.admits(key) {
            self.sink.push(key, value);
        }
    }

    /// Adds an attribute unless it is there: the first one wins.
    pub fn push_new(&mut self, key: &Key, value: &Scalar<'_>) {
        if !self.contains(key) {
            self.push(key, value);
        }
    }

    /// Adds a list that is not there yet.
    pub fn push_list<'v>(&mut self, key: &Key, items: impl Iterator<Item = Scalar<'v>>) {
        if self.admits(key) {
            self.sink.push_list(key, items);
        }
    }
}

impl Capped<Kept<'_>> {
    /// Adds a value of any kind that is not there yet.
    pub fn push_value(&mut self, key: &Key, value: Value) {
        if self.admits(key) {
            self.sink.attrs.push(key.clone(), value);
        }
    }
}
