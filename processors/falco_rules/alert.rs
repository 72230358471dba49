//! The alert that a match becomes.
//!
//! Promises: it is the record that `falco_http` makes of the alert that Falco would send for the same event, but for its id
//! and for what is added: the rule's description and where the alert comes from. To make that so, the alert is written as
//! Falco's JSON and mapped by the same code. The id depends on the event's id, the rule and the output alone, so that an
//! event that is judged again makes the same alert.

use super::metrics::Metrics;
use lanner_engine::{
    event::SeverityNumber,
    prelude::*,
    semantics::{FalcoMapper, MappingOptions, keys, uid},
    telemetry::Counter,
};
use lanner_rules::{
    evaluate::{Fields, Run},
    output::Template,
    ruleset::Rule,
};
use std::{
    collections::BTreeSet,
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

    /// The alert. None if it cannot be written, which JSON rules out.
    pub fn alert<F: Fields + ?Sized>(
        &self,
        template: &Template,
        run: &Run<'_, F>,
        origin: &Origin<'_>,
    ) -> Option<LogRecord> {
        let mut output = String::new();
        template.render(run, &mut output);
        let written = Written {
            output: &output,
            output_fields: template.fields(run),
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
        attrs.set(keys::UID.clone(), self.uid(origin, &output));
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
