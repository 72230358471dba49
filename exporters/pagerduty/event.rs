//! What an event looks like, and which PagerDuty alert it belongs to.
//!
//! Promises: an event is at most [`EVENT_LIMIT`] bytes, its summary at most [`SUMMARY`] characters, whatever the record
//! holds; what does not fit is cut with an ellipsis or counted in the details; the same record has the same key in every run.

use crate::{alert_view::AlertView, file::records::time_text, shown_text::one_line};
use lanner_conditions::{FieldList, Seen, Template};
use lanner_engine::{
    config::Secret,
    prelude::*,
    semantics::{keys, priority, uid::Digest},
};
use serde_json::{Map, Value as Json, json};
use std::sync::LazyLock;

/// PagerDuty takes 512 KB; this leaves room for what stands around the details.
#[cfg(test)]
pub const EVENT_LIMIT: usize = 500_000;
/// Bytes of the custom details, encoded.
const DETAILS: usize = 400_000;
/// Longest value of a detail.
const DETAIL: usize = 8192;
/// Longest summary.
pub const SUMMARY: usize = 1024;
/// Source, component, group, class, and names of details.
const NAME: usize = 255;

static INCIDENT_ID: LazyLock<Key> = LazyLock::new(|| Key::intern("incident.id"));

/// What the configuration says about events.
pub struct Look {
    pub routing_key: Secret,
    pub summary: Option<Template>,
    /// The fields to show; all unless given.
    pub fields: Option<FieldList>,
    pub links: Vec<super::config::Link>,
    pub client_url: Option<String>,
}

/// PagerDuty's word for how urgent something is.
pub const fn severity(priority: Option<Priority>) -> &'static str {
    match priority {
        Some(Priority::Emergency | Priority::Alert | Priority::Critical) => "critical",
        Some(Priority::Error) => "error",
        Some(Priority::Warning) => "warning",
        _ => "info",
    }
}

/// The key of the alert that a record belongs to: values of `fields`, or the incident, or rule and place.
pub fn dedup_key(fields: Option<&FieldList>, view: AlertView<'_>) -> String {
    let mut digest = Digest::new("pagerduty.dedup_key");
    if let Some(fields) = fields {
        fields.with(Seen { resource: view.resource, record: view.record }, |values| {
            for value in values {
                let text = if value.exists() { value.to_string() } else { String::new() };
                digest.part(text.as_bytes());
            }
        });
    } else if let Some(incident) = view.text(&INCIDENT_ID) {
        digest.part(incident.as_bytes());
    } else {
        digest.part(view.title().as_bytes());
        digest.part(view.text(&keys::CLUSTER_NAME).unwrap_or_default().as_bytes());
        let unit = [&keys::POD_UID, &keys::CONTAINER_ID, &keys::HOST_NAME];
        let unit = unit.into_iter().enumerate().find_map(|(kind, key)| Some((kind, view.text(key)?)));
        if let Some((kind, unit)) = unit {
            digest.part(&[kind as u8]);
            digest.part(unit.as_bytes());
        }
    }
    format!("lanner-{}", digest.finish())
}

impl Look {
    /// The event that opens the alert `key`, or adds to it; it stands for `count` records.
    pub fn trigger(&self, key: &str, resource: &Resource, record: &LogRecord, count: usize) -> Json {
        let view = AlertView { resource, record };
        let source = view.text(&keys::HOST_NAME).map(str::to_owned).or_else(|| view.place());
        let mut payload = json!({
            "summary": self.summary(view),
            "source": one_line(source.as_deref().unwrap_or("falco"), NAME),
            "severity": severity(priority(record)),
            "class": one_line(view.title(), NAME),
            "custom_details": self.details(view, count),
        });
        if let Some(time) = time_text(record) {
            payload["timestamp"] = json!(time);
        }
        let component = view.text(&keys::POD_NAME).or_else(|| view.text(&keys::CONTAINER_NAME));
        if let Some(component) = component {
            payload["component"] = json!(one_line(component, NAME));
        }
        let group = view.text(&keys::NAMESPACE_NAME).or_else(|| view.text(&keys::CLUSTER_NAME));
        if let Some(group) = group {
            payload["group"] = json!(one_line(group, NAME));
        }
        let mut event = self.event("trigger", key);
        event["client"] = json!("Lanner");
        event["payload"] = payload;
        if let Some(url) = &self.client_url {
            event["client_url"] = json!(url);
        }
        if !self.links.is_empty() {
            event["links"] = json!(self.links);
        }
        event
    }

    /// The event that closes the alert `key`.
    pub fn resolve(&self, key: &str) -> Json {
        self.event("resolve", key)
    }

    fn event(&self, action: &str, key: &str) -> Json {
        json!({"routing_key": self.routing_key.expose(), "event_action": action, "dedup_key": key})
    }

    fn summary(&self, view: AlertView<'_>) -> String {
        let mut summary = String::new();
        if let Some(template) = &self.summary {
            template.render(Seen { resource: view.resource, record: view.record }, &mut summary);
        }
        if summary.trim().is_empty() {
            summary = view.output().into_owned();
        }
        if summary.trim().is_empty() {
            summary = view.title().to_owned();
        }
        one_line(&summary, SUMMARY)
    }

    /// Rule, priority and the like, then the fields.
    fn details(&self, view: AlertView<'_>, count: usize) -> Json {
        let mut details = Details { left: DETAILS, map: Map::new(), left_out: 0 };
        details.add("rule", view.title());
        details.add("priority", priority(view.record).map(Priority::title).unwrap_or_default());
        details.add("source", view.text(&keys::SOURCE).unwrap_or_default());
        details.add("hostname", view.text(&keys::HOST_NAME).unwrap_or_default());
        details.add("tags", &view.tags().join(", "));
        details.add("output", &view.output());
        details.add("log.record.uid", view.text(&keys::UID).unwrap_or_default());
        if count > 1 {
            details.map.insert("alerts".to_owned(), json!(count));
        }
        match &self.fields {
            None => view.fields().iter().for_each(|(name, value)| details.add(name, value)),
            Some(fields) => fields.with(Seen { resource: view.resource, record: view.record }, |values| {
                for (name, value) in fields.names().iter().zip(values).filter(|(_, value)| value.exists()) {
                    details.add(name, &value.to_string());
                }
            }),
        }
        if details.left_out > 0 {
            let note = format!("{} fields did not fit", details.left_out);
            details.map.insert("left out".to_owned(), json!(note));
        }
        Json::Object(details.map)
    }
}

/// Custom details, and how many bytes they may still have.
struct Details {
    left: usize,
    map: Map<String, Json>,
    left_out: usize,
}

impl Details {
    /// Adds a detail unless it is empty or known.
    fn add(&mut self, name: &str, value: &str) {
        let name = one_line(name, NAME);
        if value.is_empty() || self.map.contains_key(&name) {
            return;
        }
        let value = Json::String(one_line(value, DETAIL));
        // As it will be encoded, with quotes, colon and comma.
        let needed = value.to_string().len() + Json::String(name.clone()).to_string().len() + 2;
        if needed > self.left {
            self.left_out += 1;
            return;
        }
        self.left -= needed;
        self.map.insert(name, value);
    }
}
