//! Secrets in the JSON of a whole event.
//!
//! Promises: texts are judged as they are without escapes, and by their names, so nothing hides behind `\\u0061`; what
//! comes out is JSON again; text without a secret is not written anew.

use super::{MARK, hinted, redact_named};
use serde_json::Value;
use std::borrow::Cow;

/// The JSON with every secret in a text of it replaced; numbers and names stay. What is no JSON is replaced as a whole
/// when it may hold a secret.
pub fn redact_json(json: &str) -> Cow<'_, str> {
    // Escapes may hide a hint.
    if hinted(json) == 0 && !json.contains("\\u") {
        return Cow::Borrowed(json);
    }
    let Ok(mut value) = serde_json::from_str::<Value>(json) else { return Cow::Borrowed(MARK) };
    if redact_in(&mut value, "") { Cow::Owned(value.to_string()) } else { Cow::Borrowed(json) }
}

/// Whether anything changed. The depth is bounded by the reader's.
fn redact_in(value: &mut Value, name: &str) -> bool {
    match value {
        Value::String(text) => {
            let clean = match redact_named(name, text) {
                Cow::Borrowed(same) if same == text.as_str() => return false,
                clean => clean.into_owned(),
            };
            *text = clean;
            true
        }
        // `|`, not `||`: every part is redacted.
        Value::Array(items) => items.iter_mut().fold(false, |any, item| any | redact_in(item, name)),
        Value::Object(entries) => entries.iter_mut().fold(false, |any, (name, value)| any | redact_in(value, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
