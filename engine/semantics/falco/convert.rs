//! From a field's value to an attribute's, by the kinds of the table.
//!
//! Promises: integers stay exact; text is a slice of the body unless it was escaped or a secret was taken out of it; every
//! text is cut at the cap, at a character boundary.

use super::{
    Settings,
    alert::Alert,
    field::Field,
    table::{As, FieldId},
    time,
};
use crate::event::Value;
use std::sync::Arc;

/// What became of a value.
pub(super) enum Converted {
    Value(Value),
    /// Pairs, each an attribute.
    Labels,
    /// It is told by another attribute, or says nothing.
    Elsewhere,
    /// This target is for other values of the field.
    NotForThis,
    /// The type is wrong.
    Unfit,
}

/// Converts `field`, the value of the field `id`, for a target of this kind.
pub(super) fn convert(
    kind: As,
    id: FieldId,
    field: &Field<'_>,
    alert: &Alert<'_>,
    settings: &Settings,
    body: &Arc<str>,
) -> Converted {
    let number = |value: Option<Value>| value.map_or(Converted::Unfit, Converted::Value);
    let as_text = || text(settings, body, field).map_or(Converted::Unfit, Converted::Value);
    match kind {
        As::Same => Converted::Value(same(settings, body, id.row().field, field)),
        As::Text => as_text(),
        As::TextUnless(other) if alert.fields.has(other) => Converted::Elsewhere,
        As::TextUnless(_) => as_text(),
        As::TextInPod if alert.in_pod() => as_text(),
        As::TextInPod => Converted::NotForThis,
        As::Int => number(field.as_int().map(Value::Int)),
        As::LoginId => match field.as_int() {
            Some(-1 | 4_294_967_295) => Converted::Elsewhere,
            id => number(id.map(Value::Int)),
        },
        As::NotZero => number(field.as_int().map(|number| Value::Bool(number != 0))),
        As::Time => number(time::of_field(field).map(|(nanos, _)| Value::text(time::to_rfc3339(nanos)))),
        As::One => match text(settings, body, field) {
            Some(text) => Converted::Value(Value::Array(vec![text])),
            None => Converted::Unfit,
        },
        As::List => match field {
            Field::List { .. } => Converted::Value(same(settings, body, id.row().field, field)),
            _ => {
                text(settings, body, field).map_or(Converted::Unfit, |text| Converted::Value(Value::Array(vec![text])))
            }
        },
        As::IpVersion => match field.as_str() {
            Some("ipv4" | "ipv6") => as_text(),
            _ => Converted::NotForThis,
        },
        As::FilePath if alert.file_field() == Some(id) => as_text(),
        As::FilePath => Converted::NotForThis,
        As::Labels if field.as_str().is_some_and(|text| text.contains([':', '='])) => Converted::Labels,
        As::Labels => Converted::Unfit,
        As::Timestamp => Converted::Elsewhere,
        As::Derived => derived(id, alert),
    }
}

/// Whether a derived attribute tells what this field says.
fn derived(id: FieldId, alert: &Alert<'_>) -> Converted {
    let told = match id {
        FieldId::KaResponseReason => {
            alert.fields.get(FieldId::KaResponseCode).and_then(Field::as_int).is_some_and(|code| code >= 400)
        }
        FieldId::ContainerImageDigest => alert.fields.text(FieldId::ContainerImageRepository).is_some(),
        _ => false,
    };
    if told { Converted::Elsewhere } else { Converted::NotForThis }
}

/// A scalar as text.
fn text(settings: &Settings, body: &Arc<str>, field: &Field<'_>) -> Option<Value> {
    match field {
        Field::Text(text) => Some(Value::Text(settings.text(body, text))),
        Field::Null | Field::List { .. } | Field::Json(_) => None,
        scalar => scalar.clone().into_text().map(|text| Value::text(&*text)),
    }
}

/// The value of the field `name` with the type it came with.
pub(super) fn same(settings: &Settings, body: &Arc<str>, name: &str, field: &Field<'_>) -> Value {
    match field {
        Field::Null => Value::Empty,
        Field::Bool(flag) => Value::Bool(*flag),
        Field::Int(number) => Value::Int(*number),
        Field::Double(number) => Value::Double(*number),
        Field::Text(text) => Value::Text(settings.named_text(body, name, text)),
        Field::Json(text) => Value::Text(settings.json(body, text)),
        Field::List { items, .. } => Value::Array(items.iter().map(|item| same(settings, body, name, item)).collect()),
    }
}
