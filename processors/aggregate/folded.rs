//! `Folded`: what is remembered of records that do not pass, and the summary that stands for them.
//!
//! Promises: the count is exact; memory does not grow with the count: one record with at most [`MAX_ATTRIBUTES`] bytes of
//! attributes, and at most so many exemplars as the configuration says, of [`MAX_TEXT`] bytes each.
//!
//! A summary repeats the attributes of the first folded record, or of the first of the most severe where they differ, so
//! that nothing severe hides behind something harmless. That record is kept encoded: it is read once, and the same bytes
//! go to the storage.

use super::{key, stored::Settings};
use bytes::Bytes;
use lanner_conditions::Seen;
use lanner_engine::{
    event::{SeverityNumber, cut, otlp},
    prelude::*,
    semantics::{event_names, keys, scope, to_rfc3339, uid},
    stage::Now,
};
use std::sync::{Arc, LazyLock};

/// Bytes of attributes that a summary repeats, of the record and of its resource.
pub const MAX_ATTRIBUTES: usize = 16 << 10;
/// Bytes of an exemplar's text and of its id.
pub const MAX_TEXT: usize = 256;

static COUNT: LazyLock<Key> = LazyLock::new(|| Key::intern("lanner.group.count"));
static FIRST_TIME: LazyLock<Key> = LazyLock::new(|| Key::intern("lanner.group.first_time"));
static LAST_TIME: LazyLock<Key> = LazyLock::new(|| Key::intern("lanner.group.last_time"));
static KEY: LazyLock<Key> = LazyLock::new(|| Key::intern("lanner.group.key"));
static EXEMPLARS: LazyLock<Key> = LazyLock::new(|| Key::intern("lanner.group.exemplars"));
static EXEMPLAR_TEXTS: LazyLock<Key> = LazyLock::new(|| Key::intern("lanner.group.exemplar_texts"));

/// Records that were folded since the last summary.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded {
    pub count: u64,
    /// Times of the oldest and the newest, in nanoseconds since 1970.
    pub first_time: u64,
    pub last_time: u64,
    /// Severity of `record`.
    pub severity: SeverityNumber,
    /// The rule of `record`, for metrics.
    pub rule: Text,
    /// The record whose attributes the summary repeats, as an OTLP request.
    pub record: Bytes,
    pub exemplars: Vec<Exemplar>,
}

/// A folded record in short.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    pub uid: Text,
    pub text: Text,
}

/// What counting a record changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// Numbers only.
    Numbers,
    /// What is kept of records as well.
    Texts,
    /// Nothing: there is no room for what must be kept.
    NoRoom,
}

impl Folded {
    /// Begins with this record; it is not counted yet.
    pub fn begin(seen: Seen<'_>, time: u64) -> Self {
        Self {
            count: 0,
            first_time: time,
            last_time: time,
            severity: seen.record.severity_number,
            rule: rule(seen.record),
            record: brief(seen),
            exemplars: Vec::new(),
        }
    }

    /// Counts a record, if what must be kept of it takes at most `room` more bytes.
    pub fn add(&mut self, seen: Seen<'_>, time: u64, exemplars: usize, room: usize) -> Added {
        let mut added = Added::Numbers;
        if seen.record.severity_number > self.severity {
            let record = brief(seen);
            if record.len() > self.record.len() + room {
                return Added::NoRoom;
            }
            (self.severity, self.rule, self.record) = (seen.record.severity_number, rule(seen.record), record);
            added = Added::Texts;
        }
        if self.exemplars.len() < exemplars && room >= 2 * MAX_TEXT {
            // Copies: a part of a shared body would keep all of it.
            let text = |text: &str| Text::from(cut(text, MAX_TEXT));
            self.exemplars.push(Exemplar {
                uid: text(seen.record.attrs.get_str(&keys::UID).unwrap_or_default()),
                text: text(seen.record.body.as_str().unwrap_or_default()),
            });
            added = Added::Texts;
        }
        self.count += 1;
        self.first_time = self.first_time.min(time);
        self.last_time = self.last_time.max(time);
        added
    }

    /// Bytes that are kept besides the numbers.
    pub fn bytes(&self) -> usize {
        let exemplars = self.exemplars.iter().map(|exemplar| exemplar.uid.len() + exemplar.text.len() + 64);
        size_of::<Self>() + self.record.len() + self.rule.len() + exemplars.sum::<usize>()
    }
}

/// When a record happened; when it came, if it does not say.
pub fn time_of(record: &LogRecord, now: Now) -> u64 {
    [record.time_unix_nano, record.observed_time_unix_nano].into_iter().find(|time| *time > 0).unwrap_or(now.unix)
}

fn rule(record: &LogRecord) -> Text {
    Text::from(cut(record.attrs.get_str(&keys::RULE).unwrap_or_default(), MAX_TEXT))
}

/// What a summary needs of a record, encoded.
fn brief(seen: Seen<'_>) -> Bytes {
    let mut room = MAX_ATTRIBUTES;
    let mut kept = |from: &Attributes| {
        let mut attrs = Attributes::with_capacity(from.len() + 8);
        let mut dropped = 0;
        for (key, value) in from.iter() {
            let size = key.as_str().len() + weight(value);
            if size > room {
                dropped += 1;
                continue;
            }
            room -= size;
            attrs.push(key.clone(), value.clone());
        }
        (attrs, dropped)
    };
    let (resource, record) = (seen.resource, seen.record);
    let (resource_attrs, resource_dropped) = kept(&resource.attrs);
    let (attrs, dropped) = kept(&record.attrs);
    let resource = Resource {
        attrs: resource_attrs,
        dropped_attributes_count: resource.dropped_attributes_count.saturating_add(resource_dropped),
        schema_url: resource.schema_url.clone(),
    };
    let record = LogRecord {
        severity_number: record.severity_number,
        severity_text: record.severity_text.clone(),
        attrs,
        dropped_attributes_count: record.dropped_attributes_count.saturating_add(dropped),
        ..LogRecord::default()
    };
    otlp::encode_logs(&Logs::one(Arc::new(resource), Arc::default(), record))
}

/// About how many bytes a value takes. Values nest as deep as the decoder allows.
fn weight(value: &Value) -> usize {
    8 + match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Map(entries) => entries.iter().map(|(key, value)| key.len() + weight(value)).sum(),
        Value::Empty | Value::Bool(_) | Value::Int(_) | Value::Double(_) => 0,
    }
}

/// Makes summaries.
pub struct Summaries {
    /// Who makes them, part of every summary's id.
    owner: String,
    /// Names of the fields of a key.
    names: Vec<String>,
    /// The window as people write it: `5m`.
    window: String,
    scope: Arc<Scope>,
}

/// The group that a summary is about.
pub struct About<'a> {
    pub key: &'a [u8],
    /// When its window began, in nanoseconds since 1970.
    pub opened: u64,
    /// Summaries of the group before this one.
    pub sequence: u64,
    /// Whether one of the group has passed before, so that these are more of it.
    pub more: bool,
}

impl Summaries {
    pub fn new(owner: &str, settings: &Settings) -> Self {
        Self {
            owner: owner.to_owned(),
            names: settings.fields.clone(),
            window: settings.window.clone(),
            scope: scope("lanner.processor.aggregate"),
        }
    }

    /// Adds the summary of what was folded to `into`.
    pub fn write(&self, about: &About<'_>, folded: &Folded, now: Now, into: &mut Logs) {
        // Our own bytes, or those of a storage that were checked when it was read.
        let logs = otlp::decode_logs(&folded.record).unwrap_or_default();
        let (resource, mut record) = match logs.groups.into_iter().next() {
            Some(group) => (group.resource, group.records.into_iter().next().unwrap_or_default()),
            None => Default::default(),
        };
        let attrs = &mut record.attrs;
        // A summary is neither the record that it is made from nor an audit event.
        attrs.retain(|key, _| *key != *keys::ORIGINAL && *key != *keys::EVENT_NAME && *key != *keys::AUDIT_STAGE);
        attrs.set(keys::UID.clone(), Value::Text(self.uid(about)));
        attrs.set(COUNT.clone(), i64::try_from(folded.count).unwrap_or(i64::MAX));
        attrs.set(FIRST_TIME.clone(), to_rfc3339(folded.first_time));
        attrs.set(LAST_TIME.clone(), to_rfc3339(folded.last_time));
        attrs.set(KEY.clone(), key::json(&self.names, about.key));
        if !folded.exemplars.is_empty() {
            let list = |pick: fn(&Exemplar) -> &Text| folded.exemplars.iter().map(pick).cloned().collect::<Value>();
            attrs.set(EXEMPLARS.clone(), list(|exemplar| &exemplar.uid));
            attrs.set(EXEMPLAR_TEXTS.clone(), list(|exemplar| &exemplar.text));
        }
        record.event_name = Text::from_static(event_names::FALCO_ALERT_SUMMARY);
        record.time_unix_nano = folded.last_time;
        record.observed_time_unix_nano = now.unix;
        let more = if about.more { " more" } else { "" };
        let rule = if folded.rule.is_empty() { String::new() } else { format!(": {}", folded.rule) };
        record.body = Value::from(format!("{}{more} in {}{rule}", folded.count, self.window));
        into.push(resource, Arc::clone(&self.scope), record);
    }

    /// Deterministic, so that a summary that is handed on twice is recognised.
    fn uid(&self, about: &About<'_>) -> Text {
        let mut digest = uid::Digest::new(event_names::FALCO_ALERT_SUMMARY);
        digest.part(self.owner.as_bytes());
        digest.part(about.key);
        digest.part(&about.opened.to_be_bytes());
        digest.part(&about.sequence.to_be_bytes());
        digest.finish()
    }
}
