//! The process that caused an alert, and what of the alert its span keeps.

use jiff::Timestamp;
use lanner_engine::{
    event::{SpanEvent, cut},
    prelude::*,
    semantics::{event_names, keys},
};
use std::sync::LazyLock;

/// Longest text that a span keeps, in bytes.
const TEXT: usize = 1024;
/// Longest name of a process, in bytes.
const NAME: usize = 256;

fn interned<const N: usize>(names: [&str; N]) -> [Key; N] {
    names.map(Key::intern)
}

static PID: LazyLock<Key> = LazyLock::new(|| Key::intern("process.pid"));
static PARENT_PID: LazyLock<Key> = LazyLock::new(|| Key::intern("process.parent_pid"));
static CREATED: LazyLock<Key> = LazyLock::new(|| Key::intern("process.creation.time"));

/// What the span of a process keeps of its first alert.
static OF_PROCESS: LazyLock<[Key; 12]> = LazyLock::new(|| {
    interned([
        "process.executable.name",
        "process.executable.path",
        "process.command_line",
        "process.pid",
        "process.vpid",
        "process.parent_pid",
        "process.creation.time",
        "user.name",
        "user.id",
        "falco.process.parent.name",
        "falco.process.ancestors",
        "container.id",
    ])
});

/// What a span event keeps of its alert; the log record with the same uid has everything.
static OF_ALERT: LazyLock<[Key; 13]> = LazyLock::new(|| {
    interned([
        "log.record.uid",
        "security_rule.name",
        "falco.priority",
        "falco.source",
        "falco.evt.type",
        "threat.tactic.name",
        "threat.technique.id",
        "file.path",
        "server.address",
        "server.port",
        "client.address",
        "network.peer.address",
        "process.command_line",
    ])
});

/// What the span of an entrance keeps of its audit event.
static OF_ENTRANCE: LazyLock<[Key; 10]> = LazyLock::new(|| {
    interned([
        "user.name",
        "client.address",
        "user_agent.original",
        "k8s.audit.event.id",
        "k8s.audit.event.request.verb",
        "k8s.audit.event.object_ref.name",
        "k8s.audit.event.object_ref.namespace",
        "url.path",
        "url.query",
        "k8s.audit.event.impersonated_user.username",
    ])
});

/// What a span event keeps of an audit event.
static OF_STAGE: LazyLock<[Key; 3]> =
    LazyLock::new(|| interned(["log.record.uid", "k8s.audit.event.stage", "k8s.audit.event.response.code"]));

/// A process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    pub name: String,
    pub pid: Option<i64>,
    pub parent_pid: Option<i64>,
    /// Nanoseconds since 1970; with the pid it is the process's identity.
    pub created: Option<u64>,
}

impl Process {
    /// The process of an alert that has one.
    pub fn of(record: &LogRecord) -> Option<Self> {
        let number = |key: &Key| record.attrs.get(key).and_then(Value::as_int);
        let name = record.attrs.get_str(&keys::EXECUTABLE_NAME).unwrap_or_default();
        let pid = number(&PID);
        if pid.is_none() && name.is_empty() {
            return None;
        }
        let created = record.attrs.get_str(&CREATED).and_then(|text| text.parse::<Timestamp>().ok());
        Some(Self {
            name: cut(if name.is_empty() { "unknown" } else { name }, NAME).to_owned(),
            pid,
            parent_pid: number(&PARENT_PID),
            created: created.and_then(|time| u64::try_from(time.as_nanosecond()).ok()),
        })
    }
}

/// The attributes of a process's span.
pub fn process_attributes(record: &LogRecord) -> Attributes {
    chosen(record, &*OF_PROCESS)
}

/// The attributes of an entrance's span.
pub fn entrance_attributes(record: &LogRecord) -> Attributes {
    chosen(record, &*OF_ENTRANCE)
}

/// An alert as an event of a span.
pub fn alert_event(record: &LogRecord, time: u64) -> SpanEvent {
    let name = Text::from_static(event_names::FALCO_ALERT);
    SpanEvent { time_unix_nano: time, name, attrs: chosen(record, &*OF_ALERT), dropped_attributes_count: 0 }
}

/// A stage of an audit event as an event of a span.
pub fn stage_event(record: &LogRecord, time: u64) -> SpanEvent {
    let name = Text::from_static(event_names::K8S_AUDIT_EVENT);
    SpanEvent { time_unix_nano: time, name, attrs: chosen(record, &*OF_STAGE), dropped_attributes_count: 0 }
}

fn chosen(record: &LogRecord, names: &[Key]) -> Attributes {
    let mut attributes = Attributes::with_capacity(names.len());
    for key in names {
        if let Some(value) = record.attrs.get(key) {
            attributes.push(key.clone(), bounded(value));
        }
    }
    attributes
}

/// A copy that keeps nothing of the event alive, and little of a large value.
pub fn bounded(value: &Value) -> Value {
    /// Most items of a list.
    const ITEMS: usize = 32;
    match value {
        Value::Text(text) => Value::text(cut(text, TEXT)),
        Value::Array(items) => Value::Array(items.iter().take(ITEMS).map(bounded).collect()),
        Value::Bytes(_) | Value::Map(_) => Value::text(cut(&value.to_json(), TEXT)),
        other => other.clone(),
    }
}

/// About how many bytes attributes take.
pub fn weight(attributes: &Attributes) -> usize {
    fn of(value: &Value) -> usize {
        match value {
            Value::Text(text) => text.len(),
            Value::Array(items) => items.iter().map(|item| size_of::<Value>() + of(item)).sum(),
            _ => 0,
        }
    }
    attributes.iter().map(|(key, value)| 64 + key.as_str().len() + of(value)).sum()
}
