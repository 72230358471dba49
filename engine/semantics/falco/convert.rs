//! From a field's value to an attribute's, by the kinds of the table.
//!
//! Promises: integers stay exact; text is borrowed from the body unless it was escaped or a secret was taken out of it; every
//! text is cut at the cap, at a character boundary.

use super::{
    alert::Alert,
    field::Field,
    table::{As, FieldId},
    texts::Texts,
    time,
};
use crate::event::Scalar;
use std::borrow::Cow;

/// What became of a value.
pub(super) enum Converted<'v> {
    One(Scalar<'v>),
    /// A list of one.
    ListOf(Scalar<'v>),
    List(&'v [Field<'v>]),
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
pub(super) fn convert<'v>(
    kind: As,
    id: FieldId,
    field: &'v Field<'_>,
    alert: &Alert<'_>,
    texts: &Texts<'_>,
) -> Converted<'v> {
    let one = |value: Option<Scalar<'v>>| value.map_or(Converted::Unfit, Converted::One);
    let as_text = || one(text(texts, field));
    match kind {
        As::Same => same(texts, id.row().field, field),
        As::Text => as_text(),
        As::TextUnless(other) if alert.fields.has(other) => Converted::Elsewhere,
        As::TextUnless(_) => as_text(),
        As::TextInPod if alert.in_pod() => as_text(),
        As::TextInPod => Converted::NotForThis,
        As::Int => one(field.as_int().map(Scalar::Int)),
        As::LoginId => match field.as_int() {
            Some(-1 | 4_294_967_295) => Converted::Elsewhere,
            id => one(id.map(Scalar::Int)),
        },
        As::NotZero => one(field.as_int().map(|number| Scalar::Bool(number != 0))),
        As::Time => one(time::of_field(field).map(|(nanos, _)| Scalar::Text(time::to_rfc3339(nanos).into()))),
        As::One => text(texts, field).map_or(Converted::Unfit, Converted::ListOf),
        As::List => match field {
            Field::List { items, .. } => Converted::List(items),
            _ => text(texts, field).map_or(Converted::Unfit, Converted::ListOf),
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
fn derived<'v>(id: FieldId, alert: &Alert<'_>) -> Converted<'v> {
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
#[inline]
fn text<'v>(texts: &Texts<'_>, field: &'v Field<'_>) -> Option<Scalar<'v>> {
    Some(Scalar::Text(match field {
        Field::Text(text) => texts.text(text),
        Field::Null | Field::List { .. } | Field::Json(_) => return None,
        scalar => Cow::Owned(scalar.clone().into_text()?.into_owned()),
    }))
}

/// The value of the field `name` with the type it came with.
pub(super) fn same<'v>(texts: &Texts<'_>, name: &str, field: &'v Field<'_>) -> Converted<'v> {
    match field {
        Field::List { items, .. } => Converted::List(items),
        scalar => Converted::One(item(texts, name, scalar)),
    }
}

/// The same for a value that is no list; lists hold no lists.
pub(super) fn item<'v>(texts: &Texts<'_>, name: &str, field: &'v Field<'_>) -> Scalar<'v> {
    match field {
        Field::Null | Field::List { .. } => Scalar::Empty,
        Field::Bool(flag) => Scalar::Bool(*flag),
        Field::Int(number) => Scalar::Int(*number),
        Field::Double(number) => Scalar::Double(*number),
        Field::Text(text) => Scalar::Text(texts.named_text(name, text)),
        Field::Json(text) => Scalar::Text(texts.json(text)),
    }
}
