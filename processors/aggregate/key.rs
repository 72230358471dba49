//! Keys: what makes records one group.
//!
//! Promises: two different lists of values never give the same key, whatever bytes a hostile event puts into them; a key
//! is at most [`MAX_FIELDS`] x ([`MAX_VALUE`] + 3) bytes; building one of texts allocates nothing once the buffer is warm.
//!
//! Format: for each field one byte that says whether there is a value (1) and whether it was cut (2), two for the length,
//! then the text. A longer text is cut, with a digest of the whole in the place of its end, so that a long common
//! beginning folds nothing together.

use lanner_conditions::{FieldList, Seen};
use lanner_engine::semantics;
use lanner_rules::evaluate::Value;
use std::{io::Write as _, ops::Range};

/// Fields that may make a key.
pub const MAX_FIELDS: usize = 16;
/// Bytes of a field's value in the key.
pub const MAX_VALUE: usize = 256;
/// Digits of a digest.
const DIGITS: usize = 32;

/// The fields of a key.
#[derive(Debug)]
pub struct Fields {
    list: FieldList,
    /// For each whether it is the priority: that is compared as a number and shown as a word.
    priority: Vec<bool>,
}

impl Fields {
    pub fn new(list: FieldList) -> Self {
        let priority = list.names().iter().map(|name| matches!(name.as_str(), "priority" | "falco.priority")).collect();
        Self { list, priority }
    }

    /// The fields as they were written.
    pub fn names(&self) -> &[String] {
        self.list.names()
    }

    /// Appends the key of a record; where it lies.
    pub fn append(&self, seen: Seen<'_>, key: &mut Vec<u8>) -> Range<usize> {
        let start = key.len();
        self.list.with(seen, |values| {
            for (value, is_priority) in values.zip(&self.priority) {
                match semantics::priority(seen.record).filter(|_| *is_priority) {
                    Some(priority) => put(Value::Text(priority.lower().as_bytes()), key),
                    None => put(value, key),
                }
            }
        });
        start..key.len()
    }
}

fn put(value: Value<'_>, key: &mut Vec<u8>) {
    let start = key.len();
    key.extend_from_slice(&[0, 0, 0]);
    match value.bytes() {
        Some(text) => key.extend_from_slice(text),
        // Writing to memory cannot fail.
        None if value.exists() => drop(write!(key, "{value}")),
        None => {}
    }
    // All places below lie in `key`: it has at least three bytes behind `start`, and when it is cut MAX_VALUE more.
    let text = start + 3;
    let long = key.len() - text > MAX_VALUE;
    if long {
        let digest = blake3::hash(&key[text..]).to_hex();
        let mut end = text + MAX_VALUE - DIGITS - 1;
        // Not inside a character.
        while key[end] & 0xc0 == 0x80 && end > text {
            end -= 1;
        }
        key.truncate(end);
        key.push(b'#');
        key.extend_from_slice(&digest.as_bytes()[..DIGITS]);
    }
    // At most MAX_VALUE, which fits 16 bits.
    let len = (key.len() - text) as u16;
    key[start] = u8::from(len > 0) + u8::from(long);
    key[start + 1..text].copy_from_slice(&len.to_be_bytes());
}

/// Reads a key back: one value per field, `None` where a record has none.
pub fn values(mut key: &[u8]) -> impl Iterator<Item = Option<String>> {
    std::iter::from_fn(move || {
        let (&[present, high, low], rest) = key.split_first_chunk::<3>()?;
        let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        key = rest;
        Some((present > 0).then(|| String::from_utf8_lossy(text).into_owned()))
    })
}

/// The key for people and programs: a JSON object of the fields that have a value, by these names.
pub fn json(names: &[String], key: &[u8]) -> String {
    let object: serde_json::Map<_, _> =
        names.iter().zip(values(key)).filter_map(|(name, value)| Some((name.clone(), value?.into()))).collect();
    serde_json::Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanner_engine::{event::Resource, testing::log};

    fn key(fields: &Fields, values: &[&str]) -> Vec<u8> {
        let record = values.iter().zip(["a.a", "b.b"]).fold(log(), |log, (value, name)| log.attr(name, *value)).build();
        let mut key = Vec::new();
        let place = fields.append(Seen { resource: &Resource::default(), record: &record }, &mut key);
        assert_eq!(place, 0..key.len());
        key
    }

    /// Scenario: values that are equal when put together, that are missing, that differ behind 256 bytes only, and one that
    /// reads like the cut form of another.
    /// Guarantee: all keys differ, none is longer than its bound, and each is read back.
    #[test]
    fn keys_are_unambiguous() {
        let fields = Fields::new(FieldList::parse(["a.a", "b.b"]).unwrap());
        let long = ["ä".repeat(200) + "x", "ä".repeat(200) + "y"];
        let cut = values(&key(&fields, &[&long[0]])).next().unwrap().unwrap();
        assert!(cut.len() <= MAX_VALUE && cut.starts_with("ää") && !cut.contains('\u{fffd}'), "{cut}");
        let cases: [&[&str]; 8] = [&[], &["x"], &["", "x"], &["x", "y"], &["xy"], &[&long[0]], &[&long[1]], &[&cut]];
        let keys = cases.map(|values| key(&fields, values));
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key), "{:?}", cases[index]);
            assert!(key.len() <= 2 * (MAX_VALUE + 3));
        }
        assert_eq!(json(&["a".into(), "b".into()], &keys[2]), r#"{"b":"x"}"#);
        assert_eq!(json(&["a".into(), "b".into()], &keys[3]), r#"{"a":"x","b":"y"}"#);
    }
}
