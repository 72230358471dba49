//! How an incident is told: as the root of its trace, and as log records.

use super::{End, Former, Incident, Priority8};
use crate::incidents::tree::Interval;
use lanner_engine::{
    event::{Span, SpanKind, SpanLink, SpanStatus},
    prelude::*,
    semantics::{event_names, keys, uid::Digest},
    stage::Now,
};
use std::sync::LazyLock;

macro_rules! names {
    ($($name:ident = $text:literal;)*) => {
        $(static $name: LazyLock<Key> = LazyLock::new(|| Key::intern($text));)*
    };
}

names! {
    ID = "incident.id";
    STATE = "lanner.incident.state";
    ALERTS = "lanner.incident.alerts";
    CORRELATION = "lanner.incident.correlation";
    END_REASON = "lanner.incident.end_reason";
    FIRST_TIME = "lanner.incident.first_time";
    LAST_TIME = "lanner.incident.last_time";
    DURATION = "lanner.incident.duration";
    PREVIOUS = "lanner.incident.previous";
    DROPPED_PROCESSES = "lanner.incident.dropped_processes";
}

impl Incident {
    fn attributes(&self) -> Attributes {
        let head = &self.head;
        let texts = |texts: &[String]| texts.iter().map(|text| Text::from(text.as_str())).collect::<Value>();
        let mut attributes = Attributes::with_capacity(12 + self.place.len());
        attributes.push(ID.clone(), Value::text(head.id.as_str()));
        attributes.push(ALERTS.clone(), Value::Int(i64::try_from(head.alerts).unwrap_or(i64::MAX)));
        attributes.push(CORRELATION.clone(), texts(&head.correlation));
        if head.priority.is_some() {
            attributes.push(keys::PRIORITY.clone(), Value::text(Text::from_static(self.priority_word())));
        }
        if !head.rules.is_empty() {
            attributes.push(keys::RULE.clone(), texts(&head.rules));
        }
        if !head.tactics.is_empty() {
            attributes.push(keys::THREAT_TACTIC_NAME.clone(), texts(&head.tactics));
        }
        if let Some(previous) = &head.previous {
            attributes.push(PREVIOUS.clone(), Value::text(previous.id.as_str()));
        }
        if head.dropped_processes > 0 {
            let dropped = i64::try_from(head.dropped_processes).unwrap_or(i64::MAX);
            attributes.push(DROPPED_PROCESSES.clone(), Value::Int(dropped));
        }
        self.place.iter().for_each(|(key, value)| attributes.push(key.clone(), value.clone()));
        attributes
    }

    /// The root as it is now. Its events are taken, unless it is sent early and comes again.
    pub fn root_span(&mut self, end: Option<End>) -> Span {
        let mut attrs = self.attributes();
        let events = match end {
            Some(end) => {
                attrs.push(END_REASON.clone(), Value::text(Text::from_static(end.as_str())));
                self.tree.take_events(None)
            }
            None => Vec::new(),
        };
        let link = |former: &Former| SpanLink {
            trace_id: former.trace_id,
            span_id: former.root,
            attrs: Attributes::from_iter([(ID.clone(), Value::text(former.id.as_str()))]),
        };
        Span {
            trace_id: self.head.trace_id,
            span_id: self.head.root,
            name: Text::from_static("security.incident"),
            kind: SpanKind::Internal,
            start_time_unix_nano: self.head.span.start,
            end_time_unix_nano: self.head.span.end,
            attrs,
            events,
            dropped_events_count: self.head.dropped_events,
            links: self.head.previous.iter().map(link).collect(),
            status: if self.is_error() { SpanStatus::Error } else { SpanStatus::Unset },
            ..Span::default()
        }
    }

    /// A log record that tells how it is now: the first says `opened`, the last `closed`.
    pub fn report(&mut self, now: Now, end: Option<End>) -> LogRecord {
        let state = match (end, self.head.reports) {
            (Some(_), _) => "closed",
            (None, 0) => "opened",
            (None, _) => "updated",
        };
        let mut digest = Digest::new(event_names::LANNER_INCIDENT);
        digest.part(self.head.id.as_bytes());
        digest.part(&self.head.reports.to_be_bytes());
        self.head.reports = self.head.reports.saturating_add(1);
        self.head.changed = false;
        self.reported = now.monotonic;
        self.dirty = true;
        let mut attrs = self.attributes();
        attrs.push(STATE.clone(), Value::text(Text::from_static(state)));
        attrs.push(keys::UID.clone(), Value::Text(digest.finish()));
        let Interval { start, end: last } = self.head.time;
        attrs.push(FIRST_TIME.clone(), Value::Int(i64::try_from(start).unwrap_or(i64::MAX)));
        attrs.push(LAST_TIME.clone(), Value::Int(i64::try_from(last).unwrap_or(i64::MAX)));
        if let Some(end) = end {
            attrs.push(DURATION.clone(), Value::Double((last - start) as f64 / 1e9));
            attrs.push(END_REASON.clone(), Value::text(Text::from_static(end.as_str())));
        }
        let priority = self.head.priority.map(Priority8::priority);
        LogRecord {
            time_unix_nano: now.unix,
            observed_time_unix_nano: now.unix,
            severity_number: priority.map(Priority::severity_number).unwrap_or_default(),
            severity_text: priority.map(|priority| Text::from_static(priority.title())).unwrap_or_default(),
            event_name: Text::from_static(event_names::LANNER_INCIDENT),
            body: Value::text(self.sentence(state)),
            attrs,
            trace_id: self.head.trace_id,
            span_id: self.head.root,
            ..LogRecord::default()
        }
    }

    /// One line for people.
    fn sentence(&self, state: &str) -> String {
        let alerts = self.head.alerts;
        let place = |key: &Key| self.place.get_str(key);
        let at = match (place(&keys::NAMESPACE_NAME), place(&keys::POD_NAME)) {
            (Some(namespace), Some(pod)) => format!(" in pod {namespace}/{pod}"),
            _ => match (place(&keys::CONTAINER_ID), place(&keys::HOST_NAME)) {
                (Some(container), _) => format!(" in container {container}"),
                (None, Some(host)) => format!(" on host {host}"),
                (None, None) => String::new(),
            },
        };
        let plural = if alerts == 1 { "" } else { "s" };
        format!("Security incident {state}: {alerts} alert{plural}{at}: {}", self.head.rules.join(", "))
    }
}
