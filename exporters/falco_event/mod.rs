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
mod json;
#[cfg(test)]
mod tests;

pub use fields::output_fields;
pub use json::json_of;

use jiff::Timestamp;
use lanner_conditions::Seen;
use lanner_engine::{
    event::{AttributesRef, Lent, Priority, Value, ValueRef},
    semantics::{self, keys},
};
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
    pub fields: Vec<(Cow<'r, str>, ValueRef<'r>)>,
}

impl<'r> FalcoEvent<'r> {
    /// Reads a record.
    pub fn of(seen: Seen<'r>) -> Self {
        Self::read(&Lent::of(seen.resource, seen.record))
    }

    /// Reads a record that is lent.
    pub fn read(record: &Lent<'r>) -> Self {
        let text = |key| record.attrs.get_str(key).unwrap_or_default();
        let rule = match text(&keys::RULE) {
            "" => record.event_name,
            rule => rule,
        };
        let tags = record.attrs.get(&keys::TAGS).and_then(ValueRef::items).unwrap_or_default();
        Self {
            uid: text(&keys::UID),
            rule: rule.into(),
            priority: semantics::priority_of(record.severity_number, || record.attrs.get_str(&keys::PRIORITY)),
            time: [record.time_unix_nano, record.observed_time_unix_nano].into_iter().find(|t| *t > 0).unwrap_or(0),
            source: text(&keys::SOURCE),
            hostname: hostname(&record.resource),
            output: match &record.body {
                ValueRef::Empty => Cow::Borrowed(""),
                body => shown(body),
            },
            tags: tags.iter().filter_map(ValueRef::as_lent_str).collect(),
            fields: output_fields(record),
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
        self.fields.get(found).map(|(_, value)| shown(value))
    }
}

/// A value as text: text as it is, the rest as JSON.
pub fn text_of(value: &Value) -> Cow<'_, str> {
    shown(&value.into())
}

/// The same of a value that is lent.
pub fn shown<'r>(value: &ValueRef<'r>) -> Cow<'r, str> {
    match value {
        ValueRef::Text(text) => text.clone(),
        other => Cow::Owned(other.to_value().to_json()),
    }
}

fn hostname<'r>(resource: &AttributesRef<'r>) -> &'r str {
    let names = [&keys::HOST_NAME, &keys::NODE_NAME];
    names.into_iter().find_map(|key| resource.get_str(key)).unwrap_or_default()
}
