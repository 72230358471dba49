//! `LogRecord`, `Resource`, `Scope` and `Logs`: OpenTelemetry's log data model, decoded.

use super::{Attributes, SeverityNumber, Text, Value};
use std::{fmt, sync::Arc};

/// One log record; a security event is one with the attributes of the mapping (`docs/mapping.md`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogRecord {
    /// When it happened, in nanoseconds since 1970; 0 is unknown.
    pub time_unix_nano: u64,
    /// When it was received, in nanoseconds since 1970.
    pub observed_time_unix_nano: u64,
    pub severity_number: SeverityNumber,
    /// The severity as the source wrote it.
    pub severity_text: Text,
    /// For example `falco.alert`; empty for a plain line.
    pub event_name: Text,
    pub body: Value,
    pub attrs: Attributes,
    pub dropped_attributes_count: u32,
    /// W3C trace flags.
    pub flags: u32,
    /// All zero when the record belongs to no trace.
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    /// What the record was made from, for components of this process that judge more than the attributes carry.
    pub raw: Raw,
}

/// The text a record was made from, such as the JSON of an audit event, unmasked. It is shared, never encoded and so
/// never leaves the process, and no part of the record's value: records that differ only in it are equal.
#[derive(Clone, Default)]
pub struct Raw(Option<Arc<str>>);

impl Raw {
    /// Keeps a text.
    pub fn new(text: Arc<str>) -> Self {
        Self(Some(text))
    }

    /// The text, where the record was made in this process and nobody took the text away.
    pub fn text(&self) -> Option<&Arc<str>> {
        self.0.as_ref()
    }
}

impl PartialEq for Raw {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The length only: the text may hold secrets.
impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Raw").field(&self.0.as_ref().map(|text| text.len())).finish()
    }
}

/// Who produced the records of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    pub attrs: Attributes,
    pub dropped_attributes_count: u32,
    /// Schema URL of the group.
    pub schema_url: Text,
}

/// Which instrumentation made the records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    pub name: Text,
    pub version: Text,
    pub attrs: Attributes,
    pub dropped_attributes_count: u32,
    /// Schema URL of the scope's records.
    pub schema_url: Text,
}

/// Records that share resource and scope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogGroup {
    pub resource: Arc<Resource>,
    pub scope: Arc<Scope>,
    pub records: Vec<LogRecord>,
}

/// Decoded log records, grouped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logs {
    pub groups: Vec<LogGroup>,
}

impl Logs {
    /// A single record.
    pub fn one(resource: Arc<Resource>, scope: Arc<Scope>, record: LogRecord) -> Self {
        Self { groups: vec![LogGroup { resource, scope, records: vec![record] }] }
    }

    /// Adds a record to the last group when resource and scope are equal, else to a new group.
    pub fn push(&mut self, resource: Arc<Resource>, scope: Arc<Scope>, record: LogRecord) {
        match self.groups.last_mut() {
            Some(group)
                if (Arc::ptr_eq(&group.resource, &resource) || group.resource == resource)
                    && (Arc::ptr_eq(&group.scope, &scope) || group.scope == scope) =>
            {
                group.records.push(record);
            }
            _ => self.groups.push(LogGroup { resource, scope, records: vec![record] }),
        }
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.records.len()).sum()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.groups.iter().all(|group| group.records.is_empty())
    }

    /// Every record.
    pub fn records(&self) -> impl Iterator<Item = &LogRecord> {
        self.groups.iter().flat_map(|group| &group.records)
    }

    /// Every record, changeable.
    pub fn records_mut(&mut self) -> impl Iterator<Item = &mut LogRecord> {
        self.groups.iter_mut().flat_map(|group| &mut group.records)
    }
}
