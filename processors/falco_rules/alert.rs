//! The alert that a match becomes.
//!
//! Promises: it is the record that `falco_http` makes of the alert that Falco would send for the same event, but for its id
//! and for what is added: the rule's description and where the alert comes from. To make that so, the alert is written as
//! Falco's JSON and mapped by the same code. The id depends on the event's id, the rule and the output alone, so that an
//! event that is judged again makes the same alert.

use super::metrics::Metrics;
use lanner_engine::{
    event::{SeverityNumber, cut},
    prelude::*,
    semantics::{FalcoMapper, MappingOptions, keys, uid},
    telemetry::Counter,
};
use lanner_rules::{
    evaluate::{Fields, Run, Value as FieldValue},
    output::Template,
    ruleset::Rule,
};
use serde::Serializer;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

/// `log.record.uid` of the record that a rule matched.
pub static MATCHED_UID: LazyLock<Key> = LazyLock::new(|| Key::intern("lanner.matched.uid"));
static DESCRIPTION: LazyLock<Key> = LazyLock::new(|| Key::intern("security_rule.description"));
static AUDIT_ID: LazyLock<Key> = LazyLock::new(|| Key::intern("k8s.audit.event.id"));

/// The resource of an alert is that of the event, so that the options about resources do not matter.
static MAPPER: LazyLock<FalcoMapper> = LazyLock::new(|| FalcoMapper::new(&MappingOptions::default()));

/// What every alert of a rule has in common.
pub struct Facts {
    name: Arc<str>,
    description: Text,
    source: Arc<str>,
    priority: &'static str,
    tags: BTreeSet<String>,
    pub severity: SeverityNumber,
    pub matches: Counter,
}

/// What an alert is made from besides the rule and the fields.
pub struct Origin<'r> {
    pub record: &'r LogRecord,
    /// When the event was, in nanoseconds since 1970.
    pub time: u64,
    /// What stands for the record where it has no id.
    pub text: &'r str,
}

/// Longest output, in bytes; longer ones are cut at a character boundary.
const MAX_OUTPUT: usize = 64 * 1024;
/// Longest text of an output field, in bytes. The mapping keeps no more.
const MAX_FIELD: usize = 4096;

/// An alert as Falco writes it.
#[derive(Serialize)]
struct Written<'a, F: Serialize> {
    output: &'a str,
    output_fields: F,
    priority: &'a str,
    rule: &'a str,
    source: &'a str,
    tags: &'a BTreeSet<String>,
    time: u64,
}

/// A value of which no more is written than is kept.
struct Bounded<'v>(FieldValue<'v>);

impl Serialize for Bounded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            FieldValue::Text(bytes) if bytes.len() > MAX_FIELD => {
                // One byte more than fits, so that a character at the end is cut and not replaced.
                let text = String::from_utf8_lossy(bytes.get(..=MAX_FIELD).unwrap_or_default());
                serializer.serialize_str(cut(&text, MAX_FIELD))
            }
            FieldValue::List(members) if !members.is_empty() => {
                serializer.collect_seq(members.iter().map(|member| Bounded(*member)))
            }
            value => value.serialize(serializer),
        }
    }
}

impl Facts {
    /// What is known of a rule.
    pub fn new(rule: &Rule, metrics: &Metrics) -> Self {
        let priority = rule.priority.word();
        Self {
            description: Text::from(&*rule.description),
            severity: Priority::parse(priority).map(Priority::severity_number).unwrap_or_default(),
            matches: metrics.matches(&rule.name, &rule.source, priority),
            name: Arc::clone(&rule.name),
            source: Arc::clone(&rule.source),
            tags: rule.tags.clone(),
            priority,
        }
    }

    /// The alert. None if the rule has a name that no alert can have, such as `<NA>`.
    pub fn alert<F: Fields + ?Sized>(
        &self,
        template: &Template,
        run: &Run<'_, F>,
        origin: &Origin<'_>,
    ) -> Option<LogRecord> {
        let mut output = String::new();
        template.render(run, &mut output);
        let output = cut(&output, MAX_OUTPUT);
        let fields: BTreeMap<_, _> = template.values(run).map(|(name, value)| (name, Bounded(value))).collect();
        let written = Written {
            output,
            output_fields: fields,
            priority: self.priority,
            rule: &self.name,
            source: &self.source,
            tags: &self.tags,
            time: origin.time,
        };
        let json: Arc<str> = serde_json::to_string(&written).ok()?.into();
        let mut record = MAPPER.map_line(&json, origin.record.observed_time_unix_nano)?.record;
        record.time_unix_nano = origin.time;
        record.trace_id = origin.record.trace_id;
        record.span_id = origin.record.span_id;
        record.flags = origin.record.flags;
        let attrs = &mut record.attrs;
        attrs.set(keys::UID.clone(), self.uid(origin, output));
        attrs.set(DESCRIPTION.clone(), self.description.clone());
        if let Some(id) = origin.record.attrs.get(&AUDIT_ID)
            && !attrs.contains(&AUDIT_ID)
        {
            attrs.push(AUDIT_ID.clone(), id.clone());
        }
        if let Some(id) = origin.record.attrs.get(&keys::UID) {
            attrs.set(MATCHED_UID.clone(), id.clone());
        }
        Some(record)
    }

    fn uid(&self, origin: &Origin<'_>, output: &str) -> Text {
        let mut digest = uid::Digest::new(uid::FALCO_ALERT);
        match origin.record.attrs.get_str(&keys::UID) {
            Some(id) => digest.part(id.as_bytes()),
            None => {
                digest.part(&origin.time.to_be_bytes());
                digest.part(origin.text.as_bytes());
            }
        }
        digest.part(self.source.as_bytes());
        digest.part(self.name.as_bytes());
        digest.part(output.as_bytes());
        digest.finish()
    }
}
