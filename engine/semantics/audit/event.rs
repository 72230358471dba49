//! `Event`: one pass over the JSON of an audit event, borrowing what needs no unescaping. Objects and unknown keys are
//! skipped without recursion, whatever their depth.

use super::reasons;
use crate::semantics::falco::{Error, Field, FieldSeed, Reader, TextSeed, has_control};
use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// Most annotations, and most keys of `extra`, that are read.
const MAX_PAIRS: usize = 1024;

/// The keys of an event, also those that are not read here and those of versions before `audit.k8s.io/v1`.
pub(super) const KEYS: [&str; 21] = [
    "kind",
    "apiVersion",
    "metadata",
    "level",
    "timestamp",
    "auditID",
    "stage",
    "requestURI",
    "verb",
    "user",
    "impersonatedUser",
    "authenticationMetadata",
    "sourceIPs",
    "userAgent",
    "objectRef",
    "responseStatus",
    "requestObject",
    "responseObject",
    "requestReceivedTimestamp",
    "stageTimestamp",
    "annotations",
];

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FieldSeed { depth: 2 }.deserialize(deserializer)
    }
}

/// An audit event as it was sent, without its objects.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Event<'a> {
    #[serde(borrow)]
    pub kind: Field<'a>,
    #[serde(borrow)]
    pub api_version: Field<'a>,
    #[serde(borrow)]
    pub level: Field<'a>,
    #[serde(borrow, rename = "auditID")]
    pub audit_id: Field<'a>,
    #[serde(borrow)]
    pub stage: Field<'a>,
    #[serde(borrow, rename = "requestURI")]
    pub request_uri: Field<'a>,
    #[serde(borrow)]
    pub verb: Field<'a>,
    #[serde(borrow)]
    pub user: Option<User<'a>>,
    #[serde(borrow)]
    pub impersonated_user: Option<User<'a>>,
    #[serde(borrow, rename = "sourceIPs")]
    pub source_ips: Field<'a>,
    #[serde(borrow)]
    pub user_agent: Field<'a>,
    #[serde(borrow)]
    pub object_ref: Option<ObjectRef<'a>>,
    #[serde(borrow)]
    pub response_status: Option<Status<'a>>,
    #[serde(borrow)]
    pub request_received_timestamp: Field<'a>,
    #[serde(borrow)]
    pub stage_timestamp: Field<'a>,
    /// Of events before `audit.k8s.io/v1`.
    #[serde(borrow)]
    pub timestamp: Field<'a>,
    #[serde(borrow)]
    pub annotations: Option<Pairs<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User<'a> {
    #[serde(borrow)]
    pub username: Field<'a>,
    #[serde(borrow)]
    pub uid: Field<'a>,
    #[serde(borrow)]
    pub groups: Field<'a>,
    #[serde(borrow)]
    pub extra: Option<Pairs<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ObjectRef<'a> {
    #[serde(borrow)]
    pub resource: Field<'a>,
    #[serde(borrow)]
    pub namespace: Field<'a>,
    #[serde(borrow)]
    pub name: Field<'a>,
    #[serde(borrow)]
    pub uid: Field<'a>,
    #[serde(borrow)]
    pub api_group: Field<'a>,
    #[serde(borrow)]
    pub api_version: Field<'a>,
    #[serde(borrow)]
    pub subresource: Field<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status<'a> {
    #[serde(borrow)]
    pub code: Field<'a>,
    #[serde(borrow)]
    pub reason: Field<'a>,
}

/// Names that come from the event, with their values, in order.
#[derive(Debug, Default)]
pub(super) struct Pairs<'a> {
    pub list: Vec<(Cow<'a, str>, Field<'a>)>,
    /// How many were left out.
    pub dropped: u32,
}

impl<'a> Pairs<'a> {
    /// The text of `name`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.list.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.as_str())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Pairs::default();
                while let Some(name) = map.next_key_seed(TextSeed)? {
                    if pairs.list.len() < MAX_PAIRS {
                        pairs.list.push((name, map.next_value()?));
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        pairs.dropped = pairs.dropped.saturating_add(1);
                    }
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}

/// Reads an item; the error is why it is no event.
pub(super) fn read(text: &str) -> Result<Event<'_>, &'static str> {
    let text = text.trim();
    if !text.starts_with('{') {
        let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
        return Err(if is_json { reasons::NOT_OBJECT } else { reasons::NOT_JSON });
    }
    let mut reader = Reader::new(text, has_control(text));
    let event = Event::deserialize(&mut reader).map_err(|error| match error {
        Error::Refused => reasons::WRONG_SHAPE,
        Error::Syntax => reasons::NOT_JSON,
    })?;
    if !reader.is_at_end() {
        return Err(reasons::NOT_JSON);
    }
    if is_event(&event) { Ok(event) } else { Err(reasons::NOT_EVENT) }
}

/// Reads the event that a text begins with, and says how long it is; none when that is not whole or no event.
/// `has_control`: whether the text may have control characters.
pub(super) fn read_first(text: &str, has_control: bool) -> Option<(Event<'_>, usize)> {
    let mut reader = Reader::new(text, has_control);
    let event = Event::deserialize(&mut reader).ok().filter(is_event)?;
    Some((event, reader.position()))
}

fn is_event(event: &Event<'_>) -> bool {
    let kind_fits = match &event.kind {
        Field::Null => true,
        kind => kind.as_str() == Some("Event"),
    };
    let said = |field: &Field<'_>| field.as_str().is_some_and(|text| !text.is_empty());
    kind_fits && (said(&event.stage) || said(&event.audit_id) || said(&event.verb))
}
