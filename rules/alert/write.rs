//! Writing alerts.

use crate::{
    evaluate::{Fields, Run},
    generic,
    output::Template,
    ruleset::Rule,
};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use std::cmp::Ordering;

/// What a rule has found in an event. Serializes as Falco's JSON; texts that are no UTF-8 get U+FFFD.
pub struct Alert<'t, 'e, F: Fields + ?Sized> {
    /// The rule.
    pub rule: &'t Rule,
    /// Its compiled template: [`crate::ruleset::CompiledRule::template`].
    pub template: &'t Template,
    /// The evaluation that found it.
    pub run: &'t Run<'e, F>,
    /// When the event was, in nanoseconds since 1970; `null` if it is not known.
    pub time: Option<u64>,
    /// The host.
    pub hostname: &'t str,
}

/// How `time` is written.
const RFC3339: &str = "%Y-%m-%dT%H:%M:%S.%9fZ";
/// The time of the event is among the output fields, whatever the template mentions.
const TIME: &str = "evt.time";
/// In messages these are text, in output fields nanoseconds.
const TIMES: [&str; 5] = [TIME, "evt.time.s", "evt.time.iso8601", "evt.datetime", "evt.datetime.s"];

impl<F: Fields + ?Sized> Serialize for Alert<'_, '_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let formatted = |format| self.time.and_then(|time| generic::formatted(time, format));
        let mut output = formatted(generic::TIME_OF_DAY).map(|time| time + ": ").unwrap_or_default();
        output.push_str(self.rule.priority.word());
        output.push(' ');
        self.template.render(self.run, &mut output);
        let mut alert = serializer.serialize_struct("Alert", 8)?;
        alert.serialize_field("hostname", self.hostname)?;
        alert.serialize_field("output", &output)?;
        alert.serialize_field("output_fields", &OutputFields(self))?;
        alert.serialize_field("priority", self.rule.priority.word())?;
        alert.serialize_field("rule", &*self.rule.name)?;
        alert.serialize_field("source", &*self.rule.source)?;
        alert.serialize_field("tags", &self.rule.tags)?;
        alert.serialize_field("time", &formatted(RFC3339))?;
        alert.end()
    }
}

struct OutputFields<'a, 't, 'e, F: Fields + ?Sized>(&'a Alert<'t, 'e, F>);

impl<F: Fields + ?Sized> Serialize for OutputFields<'_, '_, '_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Alert { template, run, time, .. } = self.0;
        let mut map = serializer.serialize_map(None)?;
        let mut needs_time = true;
        for (name, value) in template.values(run) {
            // The names are sorted, and stay so.
            if needs_time && name.cmp(TIME) != Ordering::Less {
                needs_time = false;
                if name != TIME {
                    map.serialize_entry(TIME, time)?;
                }
            }
            match TIMES.contains(&name) {
                true => map.serialize_entry(name, time)?,
                false => map.serialize_entry(name, &value)?,
            }
        }
        if needs_time {
            map.serialize_entry(TIME, time)?;
        }
        map.end()
    }
}
