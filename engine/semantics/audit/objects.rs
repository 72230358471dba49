//! `Pointer`: attributes that a user chooses from the event by JSON pointer, and the mask in front of them.
//!
//! Promises: whatever the pointer, the values of Secrets and ConfigMaps (also inside lists, patches and the copy that
//! `kubectl apply` leaves in an annotation) and issued service account tokens read `[REDACTED]`. The event is
//! parsed as a whole only when a pointer is configured.

use super::event::Event;
use crate::{
    config::Secret,
    event::{Key, Value, cut},
};
use serde_json::Value as Json;

/// Keys whose values are never shown where the object is a Secret, a ConfigMap or a token.
const MASKED: [&str; 6] =
    ["data", "stringData", "binaryData", "token", "kubectl.kubernetes.io/last-applied-configuration", "managedFields"];
/// Resources whose objects are masked.
const SENSITIVE: [&str; 3] = ["secrets", "configmaps", "tokenreviews"];

/// An attribute name and where its value is.
#[derive(Debug)]
pub(super) struct Pointer {
    pub key: Key,
    path: String,
}

/// A chosen attribute cannot be.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{name}: {pointer}` is no attribute with a JSON pointer; write a name and a path that begins with a slash, for example `pod.containers: /requestObject/spec/containers`"
)]
pub struct InvalidPointer {
    pub name: String,
    pub pointer: String,
}

impl Pointer {
    pub fn parse((name, pointer): (&String, &String)) -> Result<Self, InvalidPointer> {
        // A bare slash would be the key "".
        if name.trim().is_empty() || !pointer.starts_with('/') || pointer.len() < 2 {
            return Err(InvalidPointer { name: name.clone(), pointer: pointer.clone() });
        }
        Ok(Self { key: Key::intern(name), path: pointer.clone() })
    }

    /// The value, cut at `max` bytes; a list or object is compact JSON.
    pub fn find(&self, event: &Json, max: usize) -> Option<Value> {
        Some(match event.pointer(&self.path)? {
            Json::Null => return None,
            Json::Bool(flag) => Value::Bool(*flag),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Value::Int(number),
                None => {
                    number.as_f64().filter(|_| number.is_f64()).map_or_else(|| number.to_string().into(), Value::Double)
                }
            },
            Json::String(text) => Value::text(cut(text, max)),
            other => Value::text(cut(&other.to_string(), max)),
        })
    }
}

/// Whether the event's objects hold data that must not be shown.
pub(super) fn is_sensitive(event: &Event<'_>) -> bool {
    event.object_ref.as_ref().is_some_and(|object| {
        object.resource.as_str().is_some_and(|resource| SENSITIVE.contains(&resource))
            || object.subresource.as_str() == Some("token")
    })
}

/// The event with its objects masked; `None` when it is nested deeper than the parser goes.
pub(super) fn masked(text: &str, sensitive: bool) -> Option<Json> {
    let mut event: Json = serde_json::from_str(text).ok()?;
    for name in ["requestObject", "responseObject"] {
        match event.get_mut(name) {
            // Of unknown form: a patch as text, perhaps.
            Some(object @ Json::String(_)) if sensitive => hide(object),
            Some(object) => mask(object, sensitive),
            None => {}
        }
    }
    Some(event)
}

/// The JSON of an event in which nothing of Secrets, ConfigMaps and tokens can be read, with all keys and everything else
/// as it was: what may be shown of an event that is judged as it came. `None` when it is no event, or nested deeper than
/// the parser goes; then nothing of its objects may be shown.
pub fn without_payloads(text: &str) -> Option<String> {
    let sensitive = is_sensitive(&super::event::read(text).ok()?);
    masked(text, sensitive).map(|event| event.to_string())
}

/// Masks an object; `sensitive` when it is, or is inside, one that must not be shown. The parser bounds the depth.
fn mask(object: &mut Json, sensitive: bool) {
    match object {
        Json::Object(keys) => {
            let kind = keys.get("kind").and_then(Json::as_str).unwrap_or_default();
            let sensitive = sensitive || ["Secret", "ConfigMap", "TokenRe"].iter().any(|start| kind.starts_with(start));
            // An operation of a JSON patch.
            let patch = keys.contains_key("op") && keys.contains_key("path");
            for (name, value) in keys.iter_mut() {
                if sensitive && (MASKED.contains(&name.as_str()) || (patch && name == "value")) {
                    hide(value);
                } else {
                    mask(value, sensitive);
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| mask(item, sensitive)),
        // A whole object as text, which would escape the mask.
        Json::String(text) if sensitive && text.contains(['{', '\n']) => hide(object),
        _ => {}
    }
}

/// Hides values and keeps the names of keys.
fn hide(value: &mut Json) {
    match value {
        Json::Object(keys) => keys.values_mut().for_each(hide),
        Json::Null => {}
        other => *other = Json::String(Secret::REDACTED.into()),
    }
}
