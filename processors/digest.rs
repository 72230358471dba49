//! Digests that stand in the place of values.

use lanner_engine::{config::Secret, event::Value};

/// The key of digests that the configuration names.
pub fn key(secret: &Secret) -> [u8; 32] {
    *blake3::hash(secret.expose().as_bytes()).as_bytes()
}

/// 16 hex digits: enough to tell values apart, too few to rebuild a long one.
pub fn digest(key: &[u8; 32], bytes: &[u8]) -> String {
    let mut digits = blake3::keyed_hash(key, bytes).to_hex().to_string();
    digits.truncate(16);
    digits
}

/// The bytes a digest is made of: those of a text, the written form of anything else.
pub fn bytes_of(value: &Value) -> Vec<u8> {
    match value {
        Value::Text(text) => text.as_bytes().to_vec(),
        Value::Bytes(bytes) => bytes.to_vec(),
        other => format!("{other:?}").into_bytes(),
    }
}
