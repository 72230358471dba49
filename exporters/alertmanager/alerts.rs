//! `Alerts`: a record as an alert of Alertmanager.
//!
//! Promises: labels are those of the configuration, with valid names and values of at most [`MAX_LABEL`] bytes; what differs
//! from event to event is an annotation; annotations are bounded in number and size.

use crate::falco_event::{FalcoEvent, shown};
use jiff::{SignedDuration, Timestamp};
use lanner_conditions::{Field, Seen, Template};
use lanner_engine::{
    event::{Priority, cut},
    net::client::push_escaped,
};
use serde::{Serialize, Serializer};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Longest value of a label, in bytes.
const MAX_LABEL: usize = 256;
/// Longest value of an annotation, in bytes.
const MAX_ANNOTATION: usize = 2048;
/// Most output fields that become annotations.
const MAX_FIELDS: usize = 48;
/// Longest name of an annotation that comes from a field.
const MAX_NAME: usize = 64;
/// How long an alert fires after its last event unless configured.
pub const RESOLVE_AFTER: Duration = Duration::from_secs(15 * 60);

/// An alert as API v2 takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// What makes it one alert.
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    #[serde(serialize_with = "rfc3339")]
    pub starts_at: Timestamp,
    #[serde(serialize_with = "rfc3339")]
    pub ends_at: Timestamp,
    #[serde(rename = "generatorURL", skip_serializing_if = "str::is_empty")]
    pub generator_url: Arc<str>,
}

/// Makes alerts.
pub struct Alerts {
    /// Beside `alertname`, `severity` and `priority`.
    pub labels: Vec<(String, Field)>,
    pub fixed_labels: BTreeMap<String, String>,
    pub annotations: Vec<(String, Template)>,
    /// Whether output fields become annotations.
    pub fields: bool,
    pub severities: BTreeMap<String, String>,
    pub resolve_after: Duration,
    pub generator_url: Arc<str>,
}

/// The labels that come from fields unless configured otherwise.
pub const DEFAULT_LABELS: [(&str, &str); 4] =
    [("source", "source"), ("cluster", "k8s.cluster.name"), ("namespace", "k8s.ns.name"), ("hostname", "hostname")];

impl Default for Alerts {
    fn default() -> Self {
        // A test sees that all of them are read.
        let labels =
            DEFAULT_LABELS.iter().filter_map(|(name, field)| Some(((*name).into(), Field::parse(field).ok()?)));
        Self {
            labels: labels.collect(),
            fixed_labels: BTreeMap::new(),
            annotations: Vec::new(),
            fields: true,
            severities: BTreeMap::new(),
            resolve_after: RESOLVE_AFTER,
            generator_url: "".into(),
        }
    }
}

impl Alerts {
    /// The alert of a record, firing until `resolve_after` from `now` (or from the event, if that is later).
    pub fn alert(&self, seen: Seen<'_>, now: Timestamp) -> Alert {
        let event = FalcoEvent::of(seen);
        let happened = Timestamp::from_nanosecond(event.time.into()).ok().filter(|_| event.time > 0);
        // A clock that is ahead must not make an alert that begins after it ended.
        let starts_at = happened.unwrap_or(now).min(now);
        let ends_at = SignedDuration::try_from(self.resolve_after).ok().and_then(|after| now.checked_add(after).ok());
        Alert {
            labels: self.labels_of(&event, seen),
            annotations: self.annotations_of(&event, seen),
            starts_at,
            ends_at: ends_at.unwrap_or(Timestamp::MAX),
            generator_url: Arc::clone(&self.generator_url),
        }
    }

    fn labels_of(&self, event: &FalcoEvent<'_>, seen: Seen<'_>) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        // An empty value is no label to Alertmanager.
        let mut put = |name: &str, value: &str| {
            if !value.is_empty() {
                labels.insert(name.to_owned(), tame(value, MAX_LABEL));
            }
        };
        for (name, field) in &self.labels {
            put(name, &field.text(seen).unwrap_or_default());
        }
        for (name, value) in &self.fixed_labels {
            put(name, value);
        }
        put("alertname", if event.rule.is_empty() { "unknown" } else { &event.rule });
        if let Some(priority) = event.priority {
            put("priority", priority.lower());
            put("severity", self.severity(priority));
        }
        labels
    }

    fn severity(&self, priority: Priority) -> &str {
        match self.severities.get(priority.lower()) {
            Some(chosen) => chosen,
            None => match priority {
                Priority::Debug | Priority::Informational | Priority::Notice => "information",
                Priority::Warning | Priority::Error => "warning",
                Priority::Critical | Priority::Alert | Priority::Emergency => "critical",
            },
        }
    }

    fn annotations_of(&self, event: &FalcoEvent<'_>, seen: Seen<'_>) -> BTreeMap<String, String> {
        let mut annotations = BTreeMap::new();
        if self.fields {
            for (name, value) in event.fields.iter().take(MAX_FIELDS) {
                let name = annotation_name(name);
                annotations.entry(name).or_insert_with(|| tame(&shown(value), MAX_ANNOTATION));
            }
        }
        let tags = event.tags.join(", ");
        let own =
            [("summary", event.rule.as_ref()), ("description", &event.output), ("tags", &tags), ("uid", event.uid)];
        for (name, value) in own.into_iter().filter(|(_, value)| !value.is_empty()) {
            annotations.insert(name.to_owned(), tame(value, MAX_ANNOTATION));
        }
        for (name, template) in &self.annotations {
            let mut text = String::new();
            template.render(seen, &mut text);
            annotations.insert(name.clone(), tame(&text, MAX_ANNOTATION));
        }
        annotations
    }
}

fn rfc3339<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

/// One line of at most `max` bytes, and an ellipsis where it was cut.
fn tame(text: &str, max: usize) -> String {
    let mut shown = String::new();
    push_escaped(&mut shown, text, max);
    shown
}

/// Whether it may name a label.
pub fn is_label_name(name: &str) -> bool {
    let mut letters = name.chars();
    let first = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_');
    first && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// The name of a field with `_` for what a label name cannot have.
fn annotation_name(field: &str) -> String {
    let mut name: String =
        cut(field, MAX_NAME).chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
    if !is_label_name(&name) {
        name.insert(0, '_');
    }
    name
}
