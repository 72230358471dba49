//! A JSON object as a body.

use lanner_engine::{event::otlp::MAX_DEPTH, prelude::*};

/// Why a line is no JSON body.
pub(super) const NOT_JSON: &str = "not_json";
const NOT_OBJECT: &str = "not_object";
const TOO_DEEP: &str = "too_deep";

/// The body of a line.
///
/// # Errors
/// The line is no JSON object, or nests deeper than OTLP can be read back.
pub(super) fn body(text: &str) -> Result<Value, &'static str> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|_| NOT_JSON)?;
    if !value.is_object() {
        return Err(NOT_OBJECT);
    }
    // One less than may be read: a value inside a map is one level down already.
    convert(value, MAX_DEPTH - 1).ok_or(TOO_DEEP)
}

/// `None` when it nests deeper than `depth`.
fn convert(value: serde_json::Value, depth: usize) -> Option<Value> {
    use serde_json::Value as Json;
    let below = depth.checked_sub(1)?;
    Some(match value {
        Json::Null => Value::Empty,
        Json::Bool(flag) => Value::Bool(flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Value::Int(integer),
            // Beyond OpenTelemetry's integers; as a float it would lose its last digits.
            (None, Some(large)) => Value::text(large.to_string()),
            (None, None) => number.as_f64().map_or(Value::Empty, Value::Double),
        },
        Json::String(text) => Value::text(text),
        Json::Array(items) => Value::Array(items.into_iter().map(|item| convert(item, below)).collect::<Option<_>>()?),
        Json::Object(members) => {
            let members = members.into_iter().map(|(name, value)| Some((Text::from(name), convert(value, below)?)));
            Value::Map(members.collect::<Option<_>>()?)
        }
    })
}
