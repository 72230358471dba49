//! `Alert`: one pass over the JSON of an alert, borrowing what needs no unescaping.
//!
//! Promises: the only errors are JSON's syntax and nesting over the limit; every odd shape (wrong types, repeated keys,
//! unknown keys) is read as well as it can be and named in `degraded`. Keys match without case, as in falcosidekick.

use super::{
    field::{Field, FieldSeed, MAX_ITEMS, TextSeed},
    fields::Fields,
    reasons,
    table::FieldId,
    time::{Time, TimeSeed},
};
use crate::semantics::Reasons;
use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor},
};
use std::{borrow::Cow, fmt};

type Str<'a> = Option<Cow<'a, str>>;

/// An alert as it was sent.
#[derive(Debug, Default)]
pub(super) struct Alert<'a> {
    pub hostname: Str<'a>,
    pub rule: Str<'a>,
    pub source: Str<'a>,
    pub output: Str<'a>,
    pub message: Str<'a>,
    pub uuid: Str<'a>,
    pub priority: Field<'a>,
    pub time: Time<'a>,
    pub tags: Vec<Cow<'a, str>>,
    pub fields: Fields<'a>,
    pub degraded: Reasons,
}

/// The fields that can hold the path of a file, best first.
const PATHS: [FieldId; 4] = [FieldId::FdName, FieldId::EvtArgPath, FieldId::EvtArgName, FieldId::EvtArgNewpath];

impl<'a> Alert<'a> {
    /// Whether the event has Kubernetes fields.
    pub fn in_pod(&self) -> bool {
        let ids = [FieldId::K8sNsName, FieldId::K8sPodName, FieldId::K8sPodUid, FieldId::K8sPodId];
        ids.into_iter().any(|id| self.fields.has(id))
    }

    /// Whether the container is the host itself.
    pub fn is_host(&self) -> bool {
        [FieldId::ContainerId, FieldId::ContainerFullId].into_iter().any(|id| self.fields.text(id) == Some("host"))
    }

    /// The field that `file.path` comes from.
    pub fn file_field(&self) -> Option<FieldId> {
        PATHS.into_iter().find(|id| {
            let is_path = self.fields.text(*id).is_some_and(|text| text.starts_with('/'));
            let of_a_file = *id != FieldId::FdName
                || self.fields.text(FieldId::FdType).is_none_or(|kind| matches!(kind, "file" | "directory"));
            is_path && of_a_file
        })
    }

    fn text_mut(&mut self, key: TextKey) -> &mut Str<'a> {
        match key {
            TextKey::Hostname => &mut self.hostname,
            TextKey::Rule => &mut self.rule,
            TextKey::Source => &mut self.source,
            TextKey::Output => &mut self.output,
            TextKey::Message => &mut self.message,
            TextKey::Uuid => &mut self.uuid,
        }
    }

    /// The path of the file it is about.
    pub fn file_path(&self) -> Option<&str> {
        self.fields.text(self.file_field()?)
    }
}

impl<'de> Deserialize<'de> for Alert<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut alert = Self::default();
        AlertSeed(&mut alert).deserialize(deserializer)?;
        Ok(alert)
    }
}

/// Reads an alert in place: it is large to move.
pub(super) struct AlertSeed<'s, 'a>(pub &'s mut Alert<'a>);

impl<'de> DeserializeSeed<'de> for AlertSeed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AlertSeed<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an alert")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let alert = self.0;
        while let Some(key) = map.next_key_seed(TextSeed)? {
            match Name::of(&key) {
                Name::Text(key) => {
                    let value = text(map.next_value_seed(FieldSeed { depth: 1 })?, &mut alert.degraded);
                    *alert.text_mut(key) = value;
                }
                Name::Priority => alert.priority = map.next_value_seed(FieldSeed { depth: 1 })?,
                Name::Time => alert.time = map.next_value_seed(TimeSeed)?,
                Name::Tags => alert.tags = tags(map.next_value_seed(FieldSeed { depth: 1 })?, &mut alert.degraded),
                Name::OutputFields => {
                    map.next_value_seed(super::fields::FieldsSeed {
                        fields: &mut alert.fields,
                        degraded: &mut alert.degraded,
                    })?;
                }
                Name::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                    alert.degraded.add(reasons::UNKNOWN_KEY);
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Name {
    Text(TextKey),
    Priority,
    Time,
    Tags,
    OutputFields,
    Unknown,
}

/// The keys that hold a text.
#[derive(Clone, Copy)]
enum TextKey {
    Hostname,
    Rule,
    Source,
    Output,
    Message,
    Uuid,
}

impl Name {
    fn of(key: &str) -> Self {
        match Self::of_lower(key) {
            Self::Unknown if key.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                Self::of_lower(&key.to_ascii_lowercase())
            }
            name => name,
        }
    }

    fn of_lower(key: &str) -> Self {
        match key {
            "hostname" => Self::Text(TextKey::Hostname),
            "rule" => Self::Text(TextKey::Rule),
            "source" => Self::Text(TextKey::Source),
            "output" => Self::Text(TextKey::Output),
            "message" => Self::Text(TextKey::Message),
            "uuid" => Self::Text(TextKey::Uuid),
            "priority" => Self::Priority,
            "time" => Self::Time,
            "tags" => Self::Tags,
            "output_fields" => Self::OutputFields,
            _ => Self::Unknown,
        }
    }
}

/// Whether a key is one of an alert.
pub(super) fn is_key(name: &str) -> bool {
    !matches!(Name::of(name), Name::Unknown)
}

/// The text of a key that should hold one. Another scalar is taken as its text.
fn text<'a>(field: Field<'a>, degraded: &mut Reasons) -> Str<'a> {
    match field {
        Field::Null => None,
        Field::Text(text) => Some(text).filter(|text| !text.is_empty() && text != "<NA>"),
        other => {
            degraded.add(reasons::WRONG_TYPE);
            other.into_text()
        }
    }
}

/// The tags. A single text is read as tags with commas between.
fn tags<'a>(field: Field<'a>, degraded: &mut Reasons) -> Vec<Cow<'a, str>> {
    match field {
        Field::Null => Vec::new(),
        Field::List { items, cut } => {
            if cut {
                degraded.add(reasons::LIST_CUT);
            }
            let total = items.len();
            let mut tags = Vec::with_capacity(total);
            tags.extend(items.into_iter().filter_map(|item| match item {
                Field::Text(tag) => Some(tag),
                _ => None,
            }));
            if tags.len() < total {
                degraded.add(reasons::WRONG_TYPE);
            }
            tags
        }
        Field::Text(text) => {
            degraded.add(reasons::WRONG_TYPE);
            let tags = text.split(',').map(str::trim).filter(|tag| !tag.is_empty());
            tags.take(MAX_ITEMS).map(|tag| Cow::Owned(tag.to_owned())).collect()
        }
        _ => {
            degraded.add(reasons::WRONG_TYPE);
            Vec::new()
        }
    }
}
