//! Keys: what makes records one group.
//!
//! Promises: two different lists of values never give the same key, whatever bytes a hostile event puts into them; a key
//! is at most [`MAX_FIELDS`] x ([`MAX_VALUE`] + 3) bytes; building one allocates nothing once the buffer is warm.
//!
//! Format: for each field one byte for presence, two for the length, then the text. A longer text is cut, with a digest
//! of the whole in the place of its end, so that a long common beginning folds nothing together.

use super::field::{Field, Seen};

/// Fields that may make a key.
pub const MAX_FIELDS: usize = 16;
/// Bytes of a field's value in the key.
pub const MAX_VALUE: usize = 256;
/// Bytes of a text's beginning that are kept in front of its digest: room for `#` and 32 digits.
const KEPT: usize = MAX_VALUE - 33;

/// Appends the key of a record.
pub fn append(fields: &[Field], seen: Seen<'_>, key: &mut Vec<u8>) {
    for field in fields {
        match field.text(seen).as_deref() {
            None | Some("") => key.extend_from_slice(&[0, 0, 0]),
            Some(text) if text.len() <= MAX_VALUE => put(key, &[text]),
            Some(text) => {
                let digest = blake3::hash(text.as_bytes()).to_hex();
                let digest = digest.get(..32).unwrap_or_default();
                put(key, &[lanner_engine::event::cut(text, KEPT), "#", digest]);
            }
        }
    }
}

fn put(key: &mut Vec<u8>, parts: &[&str]) {
    // At most MAX_VALUE, which fits 16 bits.
    let len = parts.iter().map(|part| part.len()).sum::<usize>() as u16;
    key.push(1);
    key.extend_from_slice(&len.to_be_bytes());
    parts.iter().for_each(|part| key.extend_from_slice(part.as_bytes()));
}

/// Reads a key back: one value per field, `None` where a record has none.
pub fn values(mut key: &[u8]) -> impl Iterator<Item = Option<&str>> {
    std::iter::from_fn(move || {
        let (&[present, high, low], rest) = key.split_first_chunk::<3>()?;
        let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        key = rest;
        Some((present == 1).then(|| std::str::from_utf8(text).unwrap_or_default()))
    })
}

/// The key for people and programs: a JSON object of the fields that have a value, by these names.
pub fn json(names: &[String], key: &[u8]) -> String {
    let object: serde_json::Map<_, _> =
        names.iter().zip(values(key)).filter_map(|(name, value)| Some((name.clone(), value?.into()))).collect();
    serde_json::Value::Object(object).to_string()
}
