//! Events that other agents carry: a Falco alert or an audit event as the body of somebody's log record.
//!
//! A file tailer sends the JSON as text, Fluent Bit and Vector often as a map, and container log formats wrap either under
//! a key. [`Place`] says where to look, [`Form`] is what was found there, and [`settle`] makes one record of the event and
//! of the record that brought it.
//!
//! Promises of [`settle`]
//! - The event is what the receiver for it would have made of it, id included.
//! - Upstream's resource attributes stay. Where the event says something else, as it does when Falco watches a pod and the
//!   agent names Falco's own, the event's goes to the record, so that neither is lost.
//! - Of the record, time of observation, trace and attributes stay. Where an attribute has the name of one of the event,
//!   the event's wins: who filters alerts by `falco.priority` must not depend on what an agent wrote. The other one counts in
//!   `dropped_attributes_count`.
//! - What stands beside the event in the body becomes attributes `lanner.body.<key>`; a second copy of the event does not.

use super::{Reasons, keys};
use crate::event::{Key, LogRecord, Resource, Text, Value, cut};
use std::{str::FromStr, sync::Arc};

/// Most keys beside the event that become attributes; more count in `dropped_attributes_count`.
const MAX_BESIDE: usize = 64;
/// Longest value of such an attribute, in bytes.
const MAX_BESIDE_BYTES: usize = 4096;
/// Longest name of such an attribute, in bytes, without `lanner.body.`.
const MAX_BESIDE_NAME: usize = 256;

/// Where in a record an event may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The body itself.
    Body,
    /// Under this key of the body, which is a map.
    BodyKey(Text),
}

/// A text that names no place.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no place; write `body`, or `body.` and one key of it, for example `body.log`")]
pub struct InvalidPlace(pub String);

impl FromStr for Place {
    type Err = InvalidPlace;

    /// Everything behind `body.` is one key, dots included.
    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        match text.strip_prefix("body") {
            Some("") => Ok(Self::Body),
            Some(rest) => match rest.strip_prefix('.').filter(|key| !key.is_empty()) {
                Some(key) => Ok(Self::BodyKey(key.into())),
                None => Err(InvalidPlace(text.to_owned())),
            },
            None => Err(InvalidPlace(text.to_owned())),
        }
    }
}

/// What may be an event.
#[derive(Debug)]
pub enum Form<'r> {
    /// Perhaps its JSON.
    Text(Arc<str>),
    /// Perhaps the map that its JSON was read into.
    Map(&'r Value),
}

/// What a form turned out to be.
#[derive(Debug)]
pub enum Reading<E> {
    Event(E),
    /// It has the keys of an event, but is not whole.
    Damaged,
    /// Something else.
    Foreign,
}

impl Place {
    /// What is there, if it can hold an event at all.
    pub fn look<'r>(&self, body: &'r Value) -> Option<Form<'r>> {
        let value = match (self, body) {
            (Self::Body, body) => body,
            (Self::BodyKey(key), Value::Map(pairs)) => {
                pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value)?
            }
            (Self::BodyKey(_), _) => return None,
        };
        match value {
            Value::Text(text) if opens(text) => Some(Form::Text(text.to_shared())),
            Value::Bytes(bytes) => {
                let text = std::str::from_utf8(bytes).ok()?;
                opens(text).then(|| Form::Text(text.into()))
            }
            Value::Map(_) => Some(Form::Map(value)),
            _ => None,
        }
    }
}

/// Whether a text can be a JSON object.
fn opens(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// A body that is the JSON of a map with one of the keys in which `places` look, as Docker writes its log files: the map.
pub fn unwrapped(body: &Value, places: &[Place]) -> Option<Value> {
    let text = body.as_str().filter(|text| opens(text))?;
    let named = |place: &Place| match place {
        Place::Body => false,
        Place::BodyKey(key) => text.contains(&format!("\"{key}\"")),
    };
    if !places.iter().any(named) {
        return None;
    }
    Value::from_json(text).filter(|value| matches!(value, Value::Map(_)))
}

/// A mapped event.
#[derive(Debug)]
pub struct Event {
    pub resource: Arc<Resource>,
    pub record: LogRecord,
    /// What was odd about it.
    pub degraded: Reasons,
}

/// Where an event was found.
#[derive(Clone, Copy, Debug)]
pub struct Spot<'b> {
    /// The body around it.
    pub body: &'b Value,
    /// The place in it.
    pub place: &'b Place,
    /// All places that are looked at; a second copy of the event may be in another.
    pub places: &'b [Place],
    /// Tells the keys of the event itself.
    pub is_key: fn(&str) -> bool,
}

impl<'b> Spot<'b> {
    /// What stands in the body beside the event.
    fn beside(self) -> impl Iterator<Item = &'b (Text, Value)> {
        let pairs = match self.body {
            Value::Map(pairs) => pairs.as_slice(),
            _ => &[],
        };
        pairs.iter().filter(move |(name, value)| {
            let is_event = match self.place {
                Place::Body => (self.is_key)(name),
                Place::BodyKey(key) => key == name,
            };
            // Fluent Bit keeps the text beside the map that it made of it.
            let is_copy = value.as_str().is_some_and(opens)
                && self.places.iter().any(|other| matches!(other, Place::BodyKey(key) if key == name));
            *value != Value::Empty && !is_event && !is_copy
        })
    }
}

/// Makes one record of an event and of the record that carried it, which is used up.
pub fn settle(
    event: Event,
    spot: Spot<'_>,
    upstream: &Resource,
    carrier: &mut LogRecord,
) -> (Arc<Resource>, LogRecord) {
    let Event { resource, mut record, .. } = event;
    record.trace_id = carrier.trace_id;
    record.span_id = carrier.span_id;
    record.flags = carrier.flags;
    if record.time_unix_nano == 0 {
        record.time_unix_nano = carrier.time_unix_nano;
    }
    let mut dropped = carrier.dropped_attributes_count;
    let mut merged = upstream.clone();
    for (key, value) in resource.attrs.iter() {
        match merged.attrs.get(key) {
            None => merged.attrs.push(key.clone(), value.clone()),
            Some(theirs) if theirs == value || of_options(key) || record.attrs.contains(key) => {}
            Some(_) => record.attrs.push(key.clone(), value.clone()),
        }
    }
    merged.dropped_attributes_count = merged.dropped_attributes_count.saturating_add(resource.dropped_attributes_count);
    if merged.schema_url.is_empty() {
        merged.schema_url = resource.schema_url.clone();
    }
    // The attributes of the event come first: what cuts records short later leaves them whole.
    let own = record.attrs.len();
    for (key, value) in std::mem::take(&mut carrier.attrs) {
        // Repeated names of the carrier are its own affair and stay.
        if record.attrs.iter().take(own).any(|(known, _)| *known == key) {
            dropped = dropped.saturating_add(1);
        } else {
            record.attrs.push(key, value);
        }
    }
    for (index, (name, value)) in spot.beside().enumerate() {
        let key = Key::from_event(format!("lanner.body.{}", cut(name, MAX_BESIDE_NAME)).into());
        if index >= MAX_BESIDE || record.attrs.contains(&key) {
            dropped = dropped.saturating_add(1);
        } else {
            record.attrs.push(key, as_attribute(value));
        }
    }
    record.dropped_attributes_count = record.dropped_attributes_count.saturating_add(dropped);
    let resource = if merged == *resource { resource } else { Arc::new(merged) };
    (resource, record)
}

/// Whether the options say it and not the event.
fn of_options(key: &Key) -> bool {
    [&keys::SERVICE_NAME, &keys::SERVICE_NAMESPACE, &keys::CLUSTER_NAME].into_iter().any(|known| **known == *key)
}

/// A value as an attribute: text is cut, a map or a list is compact JSON.
fn as_attribute(value: &Value) -> Value {
    match value {
        Value::Text(text) if text.len() > MAX_BESIDE_BYTES => Value::text(cut(text, MAX_BESIDE_BYTES)),
        Value::Map(_) | Value::Array(_) => Value::text(cut(&value.to_json(), MAX_BESIDE_BYTES)),
        Value::Bytes(bytes) if bytes.len() > MAX_BESIDE_BYTES => Value::Bytes(bytes.slice(..MAX_BESIDE_BYTES)),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(attrs: &[(&'static str, &str)]) -> Event {
        let attrs = attrs.iter().map(|(key, value)| ((*key).into(), Value::text(*value))).collect();
        let record = LogRecord { attrs, ..LogRecord::default() };
        Event { resource: Arc::default(), record, degraded: Reasons::default() }
    }

    /// Scenario: the body, a key with dots, and texts that are near to a place.
    /// Guarantee: the first two are places; the others are errors that repeat the text.
    #[test]
    fn a_place_is_the_body_or_one_key_of_it() {
        assert_eq!("body".parse::<Place>().ok(), Some(Place::Body));
        assert_eq!("body.a.b".parse::<Place>().ok(), Some(Place::BodyKey("a.b".into())));
        for text in ["", "body.", "bodyx", "log", "Body", "attributes.log"] {
            let error = text.parse::<Place>().expect_err(text).to_string();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }

    /// Scenario: a hostile map: a thousand keys, long names and values, a name that is there already.
    /// Guarantee: bounded in number and length, what is left out is counted, no name is there twice.
    #[test]
    fn what_stands_beside_is_bounded() {
        let long = "ü".repeat(10_000);
        let mut pairs: Vec<(Text, Value)> = (0..1000).map(|n| (format!("{n}").into(), Value::Int(n))).collect();
        pairs.insert(0, ("e".into(), "the event".into()));
        pairs.insert(1, (long.as_str().into(), Value::Array(vec![long.as_str().into()])));
        pairs.insert(2, ("taken".into(), Value::Bool(true)));
        let (body, place) = (Value::Map(pairs), Place::BodyKey("e".into()));
        let spot = Spot { body: &body, place: &place, places: &[], is_key: |_| false };
        let event = event(&[("lanner.body.taken", "by the event")]);
        let (_, record) = settle(event, spot, &Resource::default(), &mut LogRecord::default());
        assert_eq!(record.attrs.len(), MAX_BESIDE);
        assert_eq!(record.dropped_attributes_count as usize, 1002 - (MAX_BESIDE - 1));
        for (key, value) in record.attrs.iter() {
            assert!(key.as_str().len() <= "lanner.body.".len() + MAX_BESIDE_NAME);
            assert!(value.as_str().is_none_or(|text| text.len() <= MAX_BESIDE_BYTES));
        }
        assert_eq!(record.attrs.get_str(&Key::intern("lanner.body.taken")), Some("by the event"));
    }
}
