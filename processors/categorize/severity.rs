//! How urgent a record is.
//!
//! Promises: the number, the word and the attribute of an alert say the same where one of them is known; `severity_text`
//! stays what the source wrote unless an override replaces it; what an override replaces is kept beside it.

use super::Subject;
use lanner_engine::{
    event::SeverityNumber,
    prelude::*,
    semantics::{keys, priority},
};

pub(super) fn settle(record: &mut LogRecord, subject: Subject, forced: Option<Priority>) {
    match forced {
        Some(forced) => replace(record, subject, forced),
        None if subject == Subject::Alert => complete(record),
        None => {}
    }
}

/// Fills in what a hop lost.
fn complete(record: &mut LogRecord) {
    let of_text = Priority::parse(&record.severity_text);
    let Some(known) = priority(record).or(of_text) else { return };
    if record.severity_number == SeverityNumber::UNSPECIFIED {
        record.severity_number = known.severity_number();
    }
    if !record.attrs.contains(&keys::PRIORITY) {
        record.attrs.set(keys::PRIORITY.clone(), Text::from_static(known.lower()));
    }
    if record.severity_text.is_empty() {
        record.severity_text = Text::from_static(known.title());
    }
}

fn replace(record: &mut LogRecord, subject: Subject, forced: Priority) {
    record.severity_number = forced.severity_number();
    record.severity_text = Text::from_static(forced.title());
    // An audit event has no priority of its own, and with one it might be taken for an alert.
    if subject == Subject::AuditEvent {
        return;
    }
    let forced = Value::Text(Text::from_static(forced.lower()));
    if let Some(before) = record.attrs.get(&keys::PRIORITY).cloned()
        && before != forced
        && !record.attrs.contains(&keys::ORIGINAL_PRIORITY)
    {
        record.attrs.set(keys::ORIGINAL_PRIORITY.clone(), before);
    }
    record.attrs.set(keys::PRIORITY.clone(), forced);
}
