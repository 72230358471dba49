//! `Fields`: the output fields of an alert, with the mapped ones found by number.
//!
//! Promises: the last of a repeated field wins; `null`, empty text and `<NA>` are left out; at most
//! [`MAX_FIELDS`] are kept and the rest is counted. Names are resolved once, here, by a table without allocation.

use super::{
    field::{Field, FieldSeed, TextSeed},
    index::{INDEX, Slot},
    reasons,
    table::FieldId,
};
use crate::semantics::Reasons;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::{borrow::Cow, fmt};

/// Most output fields of an alert.
pub const MAX_FIELDS: usize = 1024;

/// How the fields of audit rules begin.
const AUDIT: &str = "ka.";
/// How an ancestor with a number begins; `]` is behind it.
pub const ANCESTOR: &str = "proc.aname[";

/// An output field.
#[derive(Debug)]
pub(super) struct OutputField<'a> {
    pub name: Cow<'a, str>,
    pub slot: Option<Slot>,
    pub value: Field<'a>,
}

/// The output fields of an alert.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    pub list: Vec<OutputField<'a>>,
    /// Per slot of the index: position in `list` plus one.
    positions: [u16; Slot::MAX],
    /// Whether one is of an audit rule: `ka.`.
    pub audit: bool,
    /// Whether one is an ancestor with a number: `proc.aname[2]`.
    pub ancestors: bool,
    /// Whether the key was there and held an object.
    pub present: bool,
    /// How many did not fit.
    pub dropped: u32,
}

impl Default for Fields<'_> {
    fn default() -> Self {
        let positions = [0; Slot::MAX];
        Self { list: Vec::new(), positions, audit: false, ancestors: false, present: false, dropped: 0 }
    }
}

impl<'a> Fields<'a> {
    /// The fields of an alert that has some: none yet, with room for `capacity`.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { present: true, list: Vec::with_capacity(capacity), ..Self::default() }
    }

    /// The value of a mapped field, when it says something.
    pub fn get(&self, id: FieldId) -> Option<&Field<'a>> {
        let position = usize::from(*self.positions.get(id as usize)?).checked_sub(1)?;
        // What says nothing stands there as `Null`.
        self.list.get(position).map(|field| &field.value).filter(|value| !matches!(value, Field::Null))
    }

    /// Its text, when it is one.
    pub fn text(&self, id: FieldId) -> Option<&str> {
        self.get(id).and_then(Field::as_str)
    }

    /// Whether it says something.
    pub fn has(&self, id: FieldId) -> bool {
        self.get(id).is_some()
    }

    /// Adds a field, or replaces the one of this name.
    pub fn insert(&mut self, name: Cow<'a, str>, value: Field<'a>) {
        let slot = INDEX.find(&name);
        let earlier = match slot {
            Some(slot) => usize::from(self.positions[slot.index()]).checked_sub(1),
            None => self.list.iter().position(|field| field.slot.is_none() && field.name == name),
        };
        let is_absent = value.is_absent();
        if let Some(earlier) = earlier.and_then(|earlier| self.list.get_mut(earlier)) {
            earlier.value = if is_absent { Field::Null } else { value };
        } else if is_absent {
            // Nothing to keep, and nothing to replace.
        } else if self.list.len() >= MAX_FIELDS {
            self.dropped += 1;
        } else {
            if let Some(slot) = slot {
                // At most MAX_FIELDS, which fits.
                self.positions[slot.index()] = self.list.len() as u16 + 1;
            }
            self.audit |= name.starts_with(AUDIT);
            self.ancestors |= slot.is_none() && name.starts_with(ANCESTOR);
            self.list.push(OutputField { name, slot, value });
        }
    }
}

/// Reads `output_fields` in place.
pub(super) struct FieldsSeed<'t, 'a> {
    pub fields: &'t mut Fields<'a>,
    pub degraded: &'t mut Reasons,
}

impl<'de> DeserializeSeed<'de> for FieldsSeed<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldsSeed<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("output fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let fields = self.fields;
        // The whole key may be repeated; the last wins.
        if std::mem::replace(&mut fields.present, true) {
            *fields = Fields::with_capacity(0);
        }
        fields.list.reserve(32);
        while let Some(name) = map.next_key_seed(TextSeed)? {
            let value = map.next_value_seed(FieldSeed { depth: 2 })?;
            if let Field::List { cut: true, .. } = value {
                self.degraded.add(reasons::LIST_CUT);
            }
            fields.insert(name, value);
        }
        if fields.dropped > 0 {
            self.degraded.add(reasons::FIELDS_CUT);
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.wrong()
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.wrong()
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.wrong()
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.wrong()
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.wrong()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.wrong()
    }
}

impl FieldsSeed<'_, '_> {
    fn wrong<E>(self) -> Result<(), E> {
        self.degraded.add(reasons::WRONG_TYPE);
        Ok(())
    }
}
