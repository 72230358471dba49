//! From an `Event` to a log record. What makes the event recognisable comes first, so that the cap on attributes drops
//! the least important ones; every one dropped is counted in `dropped_attributes_count`.

use super::{
    AuditMapper, Item, Mapped, Origin,
    event::{Event, Pairs},
    reasons,
    table::{self, As, NAMES, ROWS},
};
use crate::{
    event::{Attributes, Key, LogRecord, Raw, Text, Value, cut},
    semantics::{
        Reasons, event_names,
        falco::{Field, method_of, parse_rfc3339},
        keys, uid,
    },
};
use std::sync::{Arc, LazyLock};

/// Later than this ahead of the clock, in nanoseconds, an event counts as skewed: 24 hours.
const SKEW: u64 = 24 * 3600 * 1_000_000_000;
/// Longest part of the id that the sender chooses.
const MAX_ID: usize = 128;
/// Longest part of the body line.
const MAX_PART: usize = 256;
/// The stages that there are.
const STAGES: [&str; 4] = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"];

static DURATION: LazyLock<Key> = LazyLock::new(|| Key::intern(table::DURATION));
static OBJECTS_REMOVED: LazyLock<Key> = LazyLock::new(|| Key::intern(table::OBJECTS_REMOVED));

/// The digest of an item: cluster and raw bytes, and what was cut out of it.
pub(super) fn digest(origin: &Origin, text: &str, removed: Option<[u8; 32]>) -> Text {
    let mut digest = uid::Digest::new(uid::K8S_AUDIT_EVENT);
    digest.part(origin.cluster.as_bytes());
    digest.part(text.as_bytes());
    if let Some(removed) = removed {
        digest.part(&removed);
    }
    digest.finish()
}

pub(super) fn map(mapper: &AuditMapper, origin: &Origin, event: &Event<'_>, item: Item<'_>, observed: u64) -> Mapped {
    let mut mapping = Mapping {
        mapper,
        text: item.text,
        attrs: Attributes::with_capacity(40.min(mapper.max_attributes)),
        dropped: 0,
        degraded: Reasons::default(),
    };
    let time = mapping.time(event);
    let stage = event.stage.as_str().unwrap_or_default();
    let code = event.response_status.as_ref().and_then(|status| status.code.as_int());
    mapping.note(event, stage);
    let id = cleaned(event.audit_id.as_str().unwrap_or_default(), MAX_ID);
    let uid = format!("{id}/{}/{}", cleaned(stage, MAX_ID), digest(origin, item.text, item.removed));
    mapping.push(&keys::UID, Value::text(uid));
    if time > observed.saturating_add(SKEW) {
        mapping.push(&keys::CLOCK_SKEW, Value::Bool(true));
        mapping.degraded.add(reasons::CLOCK_SKEW);
    }
    if item.removed.is_some() {
        mapping.push(&OBJECTS_REMOVED, Value::Bool(true));
        mapping.degraded.add(reasons::OBJECTS_REMOVED);
    }
    mapping.rows(event, code);
    mapping.duration(event);
    mapping.pairs(table::ANNOTATION, event.annotations.as_ref());
    mapping.pairs(table::USER_EXTRA, event.user.as_ref().and_then(|user| user.extra.as_ref()));
    mapping.chosen(event);
    Mapped {
        record: LogRecord {
            time_unix_nano: time,
            observed_time_unix_nano: observed,
            severity_number: table::severity(stage, code),
            event_name: Text::from_static(event_names::K8S_AUDIT_EVENT),
            body: Value::text(line(event, code)),
            attrs: mapping.attrs,
            dropped_attributes_count: mapping.dropped,
            raw: Raw::new(Arc::clone(item.text)),
            ..LogRecord::default()
        },
        plain: None,
        degraded: mapping.degraded,
    }
}

struct Mapping<'m> {
    mapper: &'m AuditMapper,
    text: &'m Arc<str>,
    attrs: Attributes,
    dropped: u32,
    degraded: Reasons,
}

impl Mapping<'_> {
    fn push(&mut self, key: &Key, value: Value) {
        if self.attrs.len() < self.mapper.max_attributes {
            self.attrs.push(key.clone(), value);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    fn text(&self, text: &str) -> Value {
        Value::Text(Text::slice_of(self.text, cut(text, self.mapper.max_bytes)))
    }

    /// The texts of a list; `cut` says that it had more.
    fn list(&mut self, items: &[Field<'_>], cut: bool) -> Value {
        if cut {
            self.degraded.add(reasons::LIST_CUT);
        }
        Value::Array(items.iter().filter_map(Field::as_str).map(|text| self.text(text)).collect())
    }

    /// When the stage was reached; 0 when nothing tells.
    fn time(&mut self, event: &Event<'_>) -> u64 {
        let (received, reached) = (&event.request_received_timestamp, &event.stage_timestamp);
        let of_stage = if event.stage.as_str() == Some("RequestReceived") { received } else { reached };
        if let Some(time) = moment(of_stage) {
            return time;
        }
        self.degraded.add(reasons::BAD_TIME);
        [reached, received, &event.timestamp].into_iter().find_map(moment).unwrap_or_else(|| {
            self.degraded.add(reasons::NO_TIME);
            0
        })
    }

    fn note(&mut self, event: &Event<'_>, stage: &str) {
        if event.audit_id.is_absent() {
            self.degraded.add(reasons::NO_AUDIT_ID);
        }
        if !STAGES.contains(&stage) {
            self.degraded.add(reasons::UNKNOWN_STAGE);
        }
        if !event.api_version.is_absent() && event.api_version.as_str() != Some("audit.k8s.io/v1") {
            self.degraded.add(reasons::FOREIGN_API_VERSION);
        }
        let annotations = event.annotations.as_ref();
        if annotations.and_then(|pairs| pairs.text("audit.k8s.io/truncated")) == Some("true") {
            self.degraded.add(reasons::TRUNCATED);
        }
    }

    fn rows(&mut self, event: &Event<'_>, code: Option<i64>) {
        let of_pods = event.object_ref.as_ref().is_some_and(|object| object.resource.as_str() == Some("pods"));
        let failed = code.is_some_and(|code| code >= 400);
        for (row, key) in ROWS.iter().zip(NAMES.iter()) {
            let Some(field) = (row.get)(event).filter(|field| !field.is_absent()) else { continue };
            let as_text = || field.clone().into_text().map(|text| self.text(&text));
            let value = match row.kind {
                As::OfPods if !of_pods => continue,
                As::OfFailure if !failed => continue,
                As::Text | As::OfPods | As::OfFailure => as_text(),
                As::Int => field.as_int().map(Value::Int),
                As::List => match field {
                    Field::List { items, cut } => Some(self.list(items, *cut)),
                    one => one.as_str().map(|text| Value::Array(vec![self.text(text)])),
                },
                As::First => match field {
                    Field::List { items, .. } => items.first().and_then(Field::as_str).map(|text| self.text(text)),
                    one => one.as_str().map(|text| self.text(text)),
                },
                As::UrlPath | As::UrlQuery => {
                    let Some(uri) = field.as_str() else { continue };
                    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
                    let part = if row.kind == As::UrlPath { path } else { query };
                    if part.is_empty() {
                        continue;
                    }
                    Some(self.text(part))
                }
                As::Method => {
                    let Some(method) = field.as_str().and_then(method_of) else { continue };
                    Some(Value::Text(Text::from_static(method)))
                }
            };
            match value {
                Some(value) => self.push(key, value),
                None => self.degraded.add(reasons::WRONG_TYPE),
            }
        }
    }

    fn duration(&mut self, event: &Event<'_>) {
        let (from, to) = (moment(&event.request_received_timestamp), moment(&event.stage_timestamp));
        if let (Some(from), Some(to)) = (from, to)
            && let Some(nanos) = to.checked_sub(from)
        {
            self.push(&DURATION, Value::Double(nanos as f64 / 1e9));
        }
    }

    fn pairs(&mut self, prefix: &str, pairs: Option<&Pairs<'_>>) {
        let Some(pairs) = pairs else { return };
        self.dropped = self.dropped.saturating_add(pairs.dropped);
        for (name, field) in &pairs.list {
            let value = match field {
                field if field.is_absent() => continue,
                Field::List { items, cut } => self.list(items, *cut),
                Field::Json(text) => Value::text(cut(text, self.mapper.max_bytes)),
                scalar => match scalar.clone().into_text() {
                    Some(text) => self.text(&text),
                    None => continue,
                },
            };
            let key = Key::from_event(Text::from(format!("{prefix}{}", cut(name, self.mapper.max_bytes))));
            // Names may become equal when they are cut, or be repeated.
            if self.attrs.contains(&key) {
                self.dropped = self.dropped.saturating_add(1);
            } else {
                self.push(&key, value);
            }
        }
    }

    /// What the options point at.
    fn chosen(&mut self, event: &Event<'_>) {
        if self.mapper.pointers.is_empty() {
            return;
        }
        let sensitive = super::objects::is_sensitive(event);
        let Some(whole) = super::objects::masked(self.text, sensitive) else {
            return self.degraded.add(reasons::OBJECTS_UNREADABLE);
        };
        for pointer in &self.mapper.pointers {
            if let Some(value) = pointer.find(&whole, self.mapper.max_bytes)
                && !self.attrs.contains(&pointer.key)
            {
                self.push(&pointer.key, value);
            }
        }
    }
}

fn moment(field: &Field<'_>) -> Option<u64> {
    field.as_str().and_then(parse_rfc3339)
}

/// A text without control characters, up to `max` bytes.
fn cleaned(text: &str, max: usize) -> String {
    let kept = cut(text, max);
    let clean: String = kept.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect();
    cut(&clean, max).to_owned()
}

/// The event in one line: user, verb, resource, namespace and name, code.
fn line(event: &Event<'_>, code: Option<i64>) -> String {
    let mut parts: Vec<String> = Vec::with_capacity(5);
    let mut add = |texts: &[Option<&str>]| {
        let said: Vec<_> =
            texts.iter().flatten().filter(|text| !text.is_empty()).map(|t| cleaned(t, MAX_PART)).collect();
        if !said.is_empty() {
            parts.push(said.join("/"));
        }
    };
    add(&[event.user.as_ref().and_then(|user| user.username.as_str())]);
    add(&[event.verb.as_str()]);
    match event.object_ref.as_ref().filter(|object| !object.resource.is_absent()) {
        Some(object) => {
            add(&[object.resource.as_str(), object.subresource.as_str()]);
            add(&[object.namespace.as_str(), object.name.as_str()]);
        }
        None => add(&[event.request_uri.as_str().map(|uri| uri.split('?').next().unwrap_or(uri))]),
    }
    if let Some(code) = code {
        parts.push(code.to_string());
    }
    parts.join(" ")
}
