//! Parts of a text, and digests of values.

use super::config::Replacement;
use lanner_engine::{config::Pattern, event::Value};

/// The text with every match replaced; `None` when it stays as it is.
pub(super) fn replace(text: &str, pattern: &Pattern, replacement: &Replacement) -> Option<String> {
    let (mut out, mut copied) = (String::new(), 0);
    for captures in pattern.0.captures_iter(text) {
        // The first group that took part, else the whole match, which is always there.
        let Some(part) = captures.iter().skip(1).flatten().next().or_else(|| captures.get(0)) else { continue };
        if part.start() < copied {
            continue;
        }
        out.push_str(&text[copied..part.start()]);
        match replacement {
            Replacement::Mask(mask) => out.push_str(mask),
            Replacement::Hash(key) => out.push_str(&digest(key, part.as_str().as_bytes())),
            Replacement::Delete => {}
        }
        copied = part.end();
    }
    if copied == 0 {
        return None;
    }
    out.push_str(&text[copied..]);
    (out != text).then_some(out)
}

/// 16 hex digits: enough to tell values apart, too few to rebuild a long one.
pub(super) fn digest(key: &[u8; 32], bytes: &[u8]) -> String {
    let mut digits = blake3::keyed_hash(key, bytes).to_hex().to_string();
    digits.truncate(16);
    digits
}

/// The bytes a digest is made of: those of a text, the written form of anything else.
pub(super) fn bytes_of(value: &Value) -> Vec<u8> {
    match value {
        Value::Text(text) => text.as_bytes().to_vec(),
        Value::Bytes(bytes) => bytes.to_vec(),
        other => format!("{other:?}").into_bytes(),
    }
}
