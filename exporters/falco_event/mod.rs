//! `FalcoEvent`: a record in the shape Falco and falcosidekick send it, for sinks that were built for theirs.
//!
//! Promises
//! - The mapping is undone by its own table (`semantics::falco::table`), so there is no second one: what a field became, it
//!   is here again under its own name. Attributes that no field made (by processors, by an agent) follow under theirs.
//! - Any record has the shape: one that is no alert has its body as output and its event name as rule.
//! - Values keep their types; 64-bit integers stay exact. Fields are sorted by name, as falcosidekick's.
//!
//! What cannot be undone: whether a number was sent as text, and times in output fields, which the record's time replaced.

mod fields;
#[cfg(test)]
mod tests;

pub use fields::output_fields;

use jiff::Timestamp;
use lanner_conditions::Seen;
use lanner_engine::{
    event::{LogRecord, Priority, Resource, Value},
    semantics::{self, keys},
};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use std::borrow::Cow;

/// A record as an alert.
#[derive(Debug)]
pub struct FalcoEvent<'r> {
    /// Empty when the record has none.
    pub uid: &'r str,
    pub rule: Cow<'r, str>,
    /// `None` for a record without severity.
    pub priority: Option<Priority>,
    /// In nanoseconds since 1970; 0 is unknown.
    pub time: u64,
    pub source: &'r str,
    pub hostname: &'r str,
    pub output: Cow<'r, str>,
    pub tags: Vec<&'r str>,
    /// Sorted by name, each once.
    pub fields: Vec<(Cow<'r, str>, Cow<'r, Value>)>,
}

impl<'r> FalcoEvent<'r> {
    /// Reads a record.
    pub fn of(seen: Seen<'r>) -> Self {
        let Seen { resource, record } = seen;
        let text = |key| record.attrs.get_str(key).unwrap_or_default();
        let rule = match text(&keys::RULE) {
            "" => record.event_name.as_str(),
            rule => rule,
        };
        let tags = match record.attrs.get(&keys::TAGS) {
            Some(Value::Array(tags)) => tags.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        Self {
            uid: text(&keys::UID),
            rule: rule.into(),
            priority: semantics::priority(record),
            time: [record.time_unix_nano, record.observed_time_unix_nano].into_iter().find(|t| *t > 0).unwrap_or(0),
            source: text(&keys::SOURCE),
            hostname: hostname(resource),
            output: output(record),
            tags,
            fields: output_fields(seen),
        }
    }

    /// The time as RFC 3339, with as many decimals as it needs.
    pub fn time_text(&self) -> Option<String> {
        let time = Timestamp::from_nanosecond(self.time.into()).ok().filter(|_| self.time > 0);
        time.map(|time| time.to_string())
    }

    /// The priority as Falco writes it, or nothing.
    pub fn priority_text(&self) -> &'static str {
        self.priority.map(Priority::title).unwrap_or_default()
    }

    /// The value of a field as text; `None` when there is none.
    pub fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        let found = self.fields.binary_search_by(|(field, _)| (**field).cmp(name)).ok()?;
        self.fields.get(found).map(|(_, value)| text_of(value))
    }

    /// The output fields as a JSON object.
    pub fn fields_json(&self) -> Map<String, Json> {
        self.fields.iter().map(|(name, value)| (name.clone().into_owned(), json_of(value))).collect()
    }

    /// The event as falcosidekick forwards it.
    pub fn to_json(&self) -> Map<String, Json> {
        let mut event = Map::new();
        let mut put = |key: &str, value: Json| drop(event.insert(key.to_owned(), value));
        if !self.uid.is_empty() {
            put("uuid", uuid(self.uid).into());
        }
        put("output", self.output.as_ref().into());
        put("priority", self.priority_text().into());
        put("rule", self.rule.as_ref().into());
        put("time", self.time_text().map_or(Json::Null, Json::from));
        put("source", self.source.into());
        put("output_fields", self.fields_json().into());
        if !self.tags.is_empty() {
            put("tags", json!(self.tags));
        }
        if !self.hostname.is_empty() {
            put("hostname", self.hostname.into());
        }
        event
    }
}

/// A value as JSON. OTLP nests at most 64 deep, so it always fits.
pub fn json_of(value: &Value) -> Json {
    Json::deserialize(value).unwrap_or_default()
}

/// A value as text: text as it is, the rest as JSON.
pub fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Text(text) => Cow::Borrowed(text.as_str()),
        other => Cow::Owned(other.to_json()),
    }
}

/// 32 hexadecimal digits in the form of a UUID; other ids as they are.
fn uuid(uid: &str) -> Cow<'_, str> {
    let is_digest = uid.len() == 32 && uid.bytes().all(|digit| digit.is_ascii_hexdigit());
    match u128::from_str_radix(uid, 16) {
        Ok(number) if is_digest => {
            let part = |from: u32, digits: u32| (number >> from) & ((1 << (4 * digits)) - 1);
            let (a, b, c, d, e) = (part(96, 8), part(80, 4), part(64, 4), part(48, 4), part(0, 12));
            format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}").into()
        }
        _ => uid.into(),
    }
}

fn hostname(resource: &Resource) -> &str {
    let names = [&keys::HOST_NAME, &keys::NODE_NAME];
    names.into_iter().find_map(|key| resource.attrs.get_str(key)).unwrap_or_default()
}

fn output(record: &LogRecord) -> Cow<'_, str> {
    match &record.body {
        Value::Empty => Cow::Borrowed(""),
        body => text_of(body),
    }
}
