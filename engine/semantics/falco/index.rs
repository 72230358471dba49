//! `Index`: from a field's name to its number, for the few nanoseconds a field may cost.
//!
//! A hash of the length and of the first and last eight bytes tells the known names apart; open addressing with a
//! load under one half settles the rest, and the name found is compared in full. Built once per process.

use super::table::{COMMON, ROW_COUNT, ROWS};
use crate::event::Key;
use std::sync::LazyLock;

/// The number of a known field: rows of the table first, then the common unmapped ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u8);

impl Slot {
    /// How many numbers there are.
    pub const MAX: usize = ROW_COUNT + COMMON.len();

    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Numbers are bytes, and one byte says "empty".
const _: () = assert!(Slot::MAX < EMPTY as usize);
const EMPTY: u8 = u8::MAX;
const BUCKETS: usize = 512;

/// Known field names.
pub(super) struct Index {
    buckets: [u8; BUCKETS],
    /// Per slot, its name, and that under `falco.output_fields.`.
    known: Vec<(&'static str, Key)>,
}

pub(super) static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { buckets: [EMPTY; BUCKETS], known: Vec::with_capacity(Slot::MAX) };
    for slot in 0..Slot::MAX {
        let name = name(slot);
        let mut bucket = hash(name);
        while index.buckets[bucket] != EMPTY {
            bucket = (bucket + 1) % BUCKETS;
        }
        index.buckets[bucket] = slot as u8;
        index.known.push((name, Key::intern(&preserved_name(name))));
    }
    index
});

impl Index {
    /// The number of `field`, when it is known.
    pub fn find(&self, field: &str) -> Option<Slot> {
        let mut bucket = hash(field);
        loop {
            let slot = self.buckets[bucket];
            if slot == EMPTY {
                return None;
            }
            if self.known[usize::from(slot)].0 == field {
                return Some(Slot(slot));
            }
            bucket = (bucket + 1) % BUCKETS;
        }
    }

    /// The attribute under which a known field is preserved.
    pub fn preserved(&self, slot: Slot) -> &Key {
        &self.known[slot.index()].1
    }
}

fn name(slot: usize) -> &'static str {
    match ROWS.get(slot) {
        Some(row) => row.field,
        None => COMMON[slot - ROW_COUNT],
    }
}

fn hash(name: &str) -> usize {
    let bytes = name.as_bytes();
    let (first, last) = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => (*first, *last),
        _ => {
            let mut all = [0; 8];
            all.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            (all, all)
        }
    };
    let (first, last) = (u64::from_le_bytes(first), u64::from_le_bytes(last));
    let mixed = (first ^ last.rotate_left(29) ^ (bytes.len() as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 55) as usize
}

/// The attribute of a field without a row, or that fits none of its targets: `falco.output_fields.<field>`, with `[n]`
/// written as `.n`.
pub fn preserved_name(field: &str) -> String {
    let mut name = String::with_capacity(20 + field.len());
    name.push_str("falco.output_fields.");
    match field.strip_suffix(']').and_then(|field| field.rsplit_once('[')) {
        Some((field, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            name.push_str(field);
            name.push('.');
            name.push_str(number);
        }
        _ => name.push_str(field),
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: every known name, and names that differ in one byte.
    /// Guarantee: each known name has its own number; no other name has one.
    #[test]
    fn known_names_are_found_and_others_are_not() {
        for slot in 0..Slot::MAX {
            assert_eq!(INDEX.find(name(slot)).map(Slot::index), Some(slot), "{}", name(slot));
            assert_eq!(INDEX.find(&format!("{}x", name(slot))), None);
        }
        assert_eq!(INDEX.find(""), None);
    }

    /// Scenario: fields with an index, with an argument, with unbalanced brackets.
    /// Guarantee: only a number in brackets changes its form.
    #[test]
    fn only_a_number_in_brackets_is_rewritten() {
        for (field, name) in [
            ("proc.aname[2]", "proc.aname.2"),
            ("ka.uri.param[command]", "ka.uri.param[command]"),
            ("a]", "a]"),
            ("a[]", "a[]"),
        ] {
            assert_eq!(preserved_name(field), format!("falco.output_fields.{name}"));
        }
    }
}
