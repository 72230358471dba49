//! `Key`: an attribute name.
//!
//! Promises: comparing two interned keys compares addresses; names that come out of events are never interned,
//! so a hostile sender cannot grow the table. Interned keys carry their protobuf encoding, so writing one is a copy.

use super::Text;
use std::{
    cell::Cell,
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
pub(super) struct Interned {
    name: &'static str,
    /// How many were interned before it; of the name that nobody can write, none.
    number: Option<usize>,
    field: &'static [u8],
}

impl Interned {
    /// What is interned under this name.
    #[inline]
    pub fn of(name: &[u8]) -> Option<&'static Self> {
        lookup(name)
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn number(&self) -> Option<usize> {
        self.number
    }
}

impl fmt::Debug for Interned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.name, f)
    }
}

/// See [`Key::UNREAD`].
static UNREAD: Interned = Interned { name: "", number: None, field: &[] };

/// How many names a thread remembers to have found: more than a mapping writes.
const REMEMBERED: usize = 512;

thread_local! {
    /// Names that this thread has found in the table, each where its bytes say: that takes neither the lock nor a hash that
    /// withstands attacks, and both would be taken for every attribute of every record.
    static FOUND: [Cell<Option<&'static Interned>>; REMEMBERED] = const { [const { Cell::new(None) }; REMEMBERED] };
}

static TABLE: LazyLock<RwLock<HashMap<&'static str, &'static Interned>>> = LazyLock::new(RwLock::default);

impl Key {
    /// Stands for what was not read of a record; equal to no interned key, the empty one included.
    pub(crate) const UNREAD: Self = Self(Repr::Interned(&UNREAD));

    /// Interns a name of the program or of the configuration. The memory is never given back, so names out of
    /// events must not come here: use [`Key::from_event`].
    pub fn intern(name: &str) -> Self {
        if let Some(known) = Self::known(name.as_bytes()) {
            return known;
        }
        let mut table = TABLE.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = table.get(name) {
            return Self(Repr::Interned(known));
        }
        let mut field = vec![0x0a];
        super::otlp::wire::put_varint(&mut field, name.len() as u64);
        let head = field.len();
        field.extend_from_slice(name.as_bytes());
        let field: &'static [u8] = field.leak();
        // Lies in the field, so that names take half of the cache.
        let name = field.get(head..).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default();
        let entry: &'static Interned = Box::leak(Box::new(Interned { name, number: Some(table.len()), field }));
        table.insert(name, entry);
        Self(Repr::Interned(entry))
    }

    /// A name found in an event: the interned key when the name is known, else the text itself.
    pub fn from_event(name: Text) -> Self {
        Self::known(name.as_bytes()).unwrap_or(Self(Repr::FromEvent(name)))
    }

    /// The interned key of this name, if there is one.
    pub(crate) fn known(name: &[u8]) -> Option<Self> {
        lookup(name).map(|known| Self(Repr::Interned(known)))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Interned(known) => known.name,
            Repr::FromEvent(name) => name.as_str(),
        }
    }

    /// The number of an interned name, counted from 0, to index a table of one's own by; `None` for names that nobody has
    /// interned.
    pub fn number(&self) -> Option<usize> {
        self.interned()?.number
    }

    fn interned(&self) -> Option<&'static Interned> {
        match &self.0 {
            Repr::Interned(known) => Some(known),
            // It may have been interned after this key was made.
            Repr::FromEvent(name) => lookup(name.as_bytes()),
        }
    }

    /// What it stands for, unless it was made before somebody interned its name.
    pub(super) fn as_interned(&self) -> Option<&'static Interned> {
        match &self.0 {
            Repr::Interned(known) => Some(known),
            Repr::FromEvent(_) => None,
        }
    }

    /// The number, unless this key was made before somebody interned its name: without a look into the table.
    pub(crate) fn interned_number(&self) -> Option<usize> {
        match &self.0 {
            Repr::Interned(known) => known.number,
            Repr::FromEvent(_) => None,
        }
    }

    /// Whether it is [`Key::UNREAD`].
    pub(crate) fn is_unread(&self) -> bool {
        matches!(&self.0, Repr::Interned(Interned { number: None, .. }))
    }

    /// The encoding as field 1 of a `KeyValue`, for interned keys.
    pub(crate) fn encoded_field(&self) -> Option<&'static [u8]> {
        match &self.0 {
            Repr::Interned(known) => Some(known.field),
            Repr::FromEvent(_) => None,
        }
    }
}

/// A set of interned names.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    /// By number.
    has: Vec<bool>,
    /// By the length of their names.
    names: Vec<Vec<Key>>,
}

impl KeySet {
    /// Whether the name is in it.
    pub fn contains(&self, key: &Key) -> bool {
        key.number().and_then(|number| self.has.get(number)).copied().unwrap_or(false)
    }

    /// The key in it that has this name. Most names are told apart by their length alone.
    #[inline]
    pub fn named(&self, name: &[u8]) -> Option<&Key> {
        self.names.get(name.len())?.iter().find(|key| key.as_str().as_bytes() == name)
    }

    /// The names in this set or in the other one.
    pub fn union(mut self, other: &Self) -> Self {
        self.extend(other.names.iter().flatten().cloned());
        self
    }
}

impl Extend<Key> for KeySet {
    /// Adds names. One that nobody has interned is of an event, and not added.
    fn extend<I: IntoIterator<Item = Key>>(&mut self, keys: I) {
        for known in keys.into_iter().filter_map(|key| key.interned()) {
            let (Some(number), length) = (known.number, known.name.len()) else { continue };
            self.has.resize(self.has.len().max(number + 1), false);
            self.names.resize(self.names.len().max(length + 1), Vec::new());
            if !std::mem::replace(&mut self.has[number], true) {
                self.names[length].push(Key(Repr::Interned(known)));
            }
        }
    }
}

impl FromIterator<Key> for KeySet {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Self {
        let mut set = Self::default();
        set.extend(keys);
        set
    }
}

fn lookup(name: &[u8]) -> Option<&'static Interned> {
    FOUND.with(|found| {
        let place = &found[place_of(name)];
        if let Some(known) = place.get().filter(|known| known.name.as_bytes() == name) {
            return Some(known);
        }
        let table = TABLE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = std::str::from_utf8(name).ok().and_then(|name| table.get(name).copied());
        if known.is_some() {
            place.set(known);
        }
        known
    })
}

/// Where a thread remembers a name: by its length and its last bytes, in which names of one family differ.
fn place_of(name: &[u8]) -> usize {
    let end = match name.last_chunk() {
        Some(end) => u64::from_le_bytes(*end),
        None => name.iter().fold(0, |end, byte| end << 8 | u64::from(*byte)),
    };
    let mixed = (end ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 48) as usize % REMEMBERED
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: sets of names with different and with equal lengths, one of them twice, and a name of an event.
    /// Guarantee: a set and a union have exactly their names, by key and by text; the event's is interned by nobody.
    #[test]
    fn a_set_has_its_names() {
        let keys = |names: &[&str]| names.iter().map(|name| Key::intern(name)).collect::<KeySet>();
        let mut one = keys(&["set.a", "set.b", "set.a", "set.longer"]);
        one.extend([Key::from_event("set.of.an.event".into())]);
        let both = one.clone().union(&keys(&["set.b", "set.c", ""]));
        let has = |set: &KeySet, name: &str| {
            let named = set.named(name.as_bytes()).map(Key::as_str);
            assert!(named.is_none_or(|found| found == name));
            assert_eq!(named.is_some(), set.contains(&Key::from_event(name.into())), "{name}");
            named.is_some()
        };
        let names = ["set.a", "set.b", "set.c", "set.longer", "set.of.an.event", "", "set", "set.longer.still"];
        assert_eq!(names.map(|name| has(&one, name)), [true, true, false, true, false, false, false, false]);
        assert_eq!(names.map(|name| has(&both, name)), [true, true, true, true, false, true, false, false]);
        assert!(lookup(b"set.of.an.event").is_none());
    }

    /// Scenario: the key that stands for what was not read, beside the empty name.
    /// Guarantee: it is itself and no name, in no set.
    #[test]
    fn what_was_not_read_has_no_name() {
        let (unread, empty) = (Key::UNREAD, Key::intern(""));
        assert!(unread.is_unread() && !empty.is_unread() && !Key::from_event(Text::EMPTY).is_unread());
        assert!(unread == Key::UNREAD && unread != empty);
        assert!(!KeySet::from_iter([unread.clone()]).contains(&unread));
    }

    /// Scenario: more names than a thread remembers, found again and again, and one that is interned after it was looked for.
    /// Guarantee: each is found as itself; what nobody interned is not.
    #[test]
    fn remembered_names_are_found_as_themselves() {
        let names: Vec<String> = (0..2 * REMEMBERED).map(|number| format!("test.remembered.{number}")).collect();
        let numbers: Vec<_> = names.iter().map(|name| Key::intern(name).number()).collect();
        for _ in 0..2 {
            let found = names.iter().map(|name| Key::known(name.as_bytes()).and_then(|key| key.number()));
            assert!(found.eq(numbers.iter().copied()));
        }
        for unknown in [&b"test.remembered"[..], b"test.remembered.", b"\xff"] {
            assert!(Key::known(unknown).is_none(), "{unknown:?}");
        }
        let late = Key::from_event("test.late".into());
        assert_eq!((late.number(), &late), (None, &Key::from_event("test.late".into())));
        let interned = Key::intern("test.late");
        assert_eq!((late.number(), late), (interned.number(), interned));
    }
}
