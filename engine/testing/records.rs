//! Log records for tests, piece by piece.

use crate::event::{Key, LogRecord, Priority, Reads, Text, Value};

/// An empty log record to build on: `log().attr("env", "prod")`.
pub fn log() -> LogBuilder {
    LogBuilder(LogRecord::default())
}

/// What is left of a record when only this is read.
pub fn read_of(record: &LogRecord, reads: &Reads) -> LogRecord {
    let mut record = record.clone();
    record.attrs.retain(|key, _| reads.attributes.contains(key));
    if !reads.body {
        record.body = Value::Empty;
    }
    record
}

/// Builds a [`LogRecord`]; goes wherever one is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct LogBuilder(LogRecord);

impl LogBuilder {
    /// Sets an attribute.
    pub fn attr(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.attrs.set(Key::intern(name), value);
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Value>) -> Self {
        self.0.body = body.into();
        self
    }

    /// Sets the event name.
    pub fn event_name(mut self, name: &str) -> Self {
        self.0.event_name = Text::from(name);
        self
    }

    /// Sets severity number and text.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.0.severity_number = priority.severity_number();
        self.0.severity_text = Text::from_static(priority.title());
        self
    }

    /// The record.
    pub fn build(self) -> LogRecord {
        self.0
    }
}

impl From<LogBuilder> for LogRecord {
    fn from(builder: LogBuilder) -> Self {
        builder.0
    }
}

impl PartialEq<LogBuilder> for LogRecord {
    fn eq(&self, other: &LogBuilder) -> bool {
        *self == other.0
    }
}
