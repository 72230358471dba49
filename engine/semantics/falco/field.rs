//! `Field`: a JSON value of an alert, borrowed from the body where it can be.
//!
//! Promises: 64-bit integers stay exact (an unsigned one over the signed range becomes its text); nesting is bounded by
//! [`MAX_DEPTH`] and lists by [`MAX_ITEMS`], whatever arrives; a nested object becomes compact JSON text.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::{borrow::Cow, fmt};

/// Deepest nesting that is read.
pub const MAX_DEPTH: usize = 64;
/// Most items kept of a list; those behind are counted as `list_cut`.
pub const MAX_ITEMS: usize = 1024;

/// A value of an alert.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::semantics) enum Field<'a> {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Cow<'a, str>),
    /// Scalars only: a list or object inside becomes JSON text. `cut` says that items were left out.
    List {
        items: Vec<Field<'a>>,
        cut: bool,
    },
    /// An object as compact JSON.
    Json(String),
}

impl<'a> Field<'a> {
    /// Whether it says nothing: `null`, the empty text, Falco's `<NA>`, a list of such.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty() || text == "<NA>",
            Self::List { items, .. } => items.is_empty(),
            _ => false,
        }
    }

    /// The text, when it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list; another value is one item.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List { items, .. } => items,
            one => std::slice::from_ref(one),
        }
    }

    /// The integer: one, or a text of one (gRPC dumps write every field as text).
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A scalar as text; lists, objects and nothing give none.
    pub fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Int(number) => Some(number.to_string().into()),
            Self::Double(number) => Some(number.to_string().into()),
            Self::Bool(flag) => Some(if flag { "true" } else { "false" }.into()),
            Self::Null | Self::List { .. } | Self::Json(_) => None,
        }
    }
}

/// Reads one value. `depth` is how many lists and objects are around it.
#[derive(Clone, Copy)]
pub(in crate::semantics) struct FieldSeed {
    pub depth: usize,
}

/// The only error that is not about JSON's syntax.
pub(super) fn too_deep<E: Error>() -> E {
    E::custom(format_args!("nested deeper than {MAX_DEPTH}"))
}

impl<'de> DeserializeSeed<'de> for FieldSeed {
    type Value = Field<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Field<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldSeed {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Field<'de>, E> {
        Ok(Field::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Field<'de>, E> {
        Ok(Field::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field<'de>, E> {
        Ok(i64::try_from(number).map_or_else(|_| Field::Text(number.to_string().into()), Field::Int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Field<'de>, E> {
        Ok(Field::Double(number))
    }

    fn visit_unit<E>(self) -> Result<Field<'de>, E> {
        Ok(Field::Null)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Field<'de>, A::Error> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        // Tags, mostly.
        let mut items = Vec::with_capacity(8);
        while items.len() < MAX_ITEMS {
            match list.next_element_seed(Self { depth: self.depth + 1 })? {
                None => return Ok(Field::List { items, cut: false }),
                Some(item) if item.is_absent() => {}
                Some(item @ Field::List { .. }) => items.push(Field::Json(json_text(&item))),
                Some(item) => items.push(item),
            }
        }
        let mut cut = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            cut = true;
        }
        Ok(Field::List { items, cut })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field<'de>, A::Error> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        let mut out = String::from("{");
        while let Some(key) = map.next_key_seed(TextSeed)? {
            if out.len() > 1 {
                out.push(',');
            }
            push_quoted(&mut out, &key);
            out.push(':');
            let value = map.next_value_seed(Self { depth: self.depth + 1 })?;
            push_json(&mut out, &value);
        }
        out.push('}');
        Ok(Field::Json(out))
    }
}

/// A value as compact JSON.
pub(super) fn json_text(field: &Field<'_>) -> String {
    let mut out = String::new();
    push_json(&mut out, field);
    out
}

fn push_json(out: &mut String, field: &Field<'_>) {
    use fmt::Write as _;
    match field {
        Field::Null => out.push_str("null"),
        // Writing to a `String` cannot fail.
        Field::Bool(flag) => drop(write!(out, "{flag}")),
        Field::Int(number) => drop(write!(out, "{number}")),
        Field::Double(number) => out.push_str(&serde_json::to_string(number).unwrap_or_default()),
        Field::Text(text) => push_quoted(out, text),
        Field::Json(text) => out.push_str(text),
        Field::List { items, .. } => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_json(out, item);
            }
            out.push(']');
        }
    }
}

fn push_quoted(out: &mut String, text: &str) {
    // A string always serialises.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Reads a text without copying it unless it holds escapes.
pub(in crate::semantics) struct TextSeed;

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
