//! The fields that events of every source have, for audit events. Times are UTC.

use super::{SOURCE, event::AuditEvent};
use crate::evaluate::Value;
use jiff::{Timestamp, tz::TimeZone};

const NANOSECONDS: u64 = 1_000_000_000;

/// A field of [`crate::generic::ROWS`].
pub(super) fn value<'a>(name: &str, event: &AuditEvent<'a>) -> Value<'a> {
    match name {
        "evt.num" => Value::Uint(event.meta.number),
        "evt.pluginname" => Value::from("k8saudit"),
        "evt.plugininfo" => Value::from(event.root.raw()),
        "evt.source" => Value::from(SOURCE),
        "evt.is_async" => Value::Bool(false),
        "evt.hostname" if !event.meta.hostname.is_empty() => Value::from(event.meta.hostname),
        _ => event.time().map_or(Value::Absent, |time| time_value(name, time, event)),
    }
}

fn time_value<'a>(name: &str, time: u64, event: &AuditEvent<'a>) -> Value<'a> {
    let format = match name {
        "evt.rawtime" => return Value::Uint(time),
        "evt.rawtime.s" => return Value::Uint(time / NANOSECONDS),
        "evt.rawtime.ns" => return Value::Uint(time % NANOSECONDS),
        "evt.time" => "%H:%M:%S.%9f",
        "evt.time.s" => "%H:%M:%S",
        "evt.time.iso8601" => "%Y-%m-%dT%H:%M:%S.%9f+0000",
        "evt.datetime" => "%Y-%m-%d %H:%M:%S.%9f",
        "evt.datetime.s" => "%Y-%m-%d %H:%M:%S",
        _ => return Value::Absent,
    };
    let Ok(timestamp) = Timestamp::from_nanosecond(i128::from(time)) else { return Value::Absent };
    let text = timestamp.to_zoned(TimeZone::UTC).strftime(format).to_string();
    event.arena.text(text.as_bytes())
}

/// The nanoseconds since 1970 of an RFC 3339 time.
pub(super) fn nanoseconds(text: &str) -> Option<u64> {
    let timestamp: Timestamp = text.parse().ok()?;
    u64::try_from(timestamp.as_nanosecond()).ok()
}
