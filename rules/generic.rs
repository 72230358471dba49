//! The fields that events of every source have. Times are UTC.

use crate::{
    evaluate::{Arena, Value},
    schema::{
        Kind::{Bool, Text, Uint},
        Row,
    },
};
use jiff::{Timestamp, tz::TimeZone};

/// Their table. Sources put it first, so that a field's place here is its number there.
pub const ROWS: &[Row] = &[
    Row::new("evt.num", Uint),
    Row::new("evt.time", Text),
    Row::new("evt.time.s", Text),
    Row::new("evt.time.iso8601", Text),
    Row::new("evt.datetime", Text),
    Row::new("evt.datetime.s", Text),
    Row::new("evt.rawtime", Uint),
    Row::new("evt.rawtime.s", Uint),
    Row::new("evt.rawtime.ns", Uint),
    Row::new("evt.reltime", Uint),
    Row::new("evt.reltime.s", Uint),
    Row::new("evt.reltime.ns", Uint),
    Row::new("evt.pluginname", Text),
    Row::new("evt.plugininfo", Text),
    Row::new("evt.source", Text),
    Row::new("evt.is_async", Bool),
    Row::new("evt.asynctype", Text),
    Row::new("evt.hostname", Text),
];

/// What these fields say of an event.
pub(crate) struct Common<'a> {
    pub number: u64,
    /// Nanoseconds since 1970.
    pub time: Option<u64>,
    pub source: &'a str,
    /// Empty if no plugin made the event.
    pub plugin: &'a str,
    /// The whole event, where a plugin made it.
    pub info: &'a str,
    /// Empty if it is not known.
    pub hostname: &'a str,
}

/// A field of [`ROWS`].
pub(crate) fn value<'a>(name: &str, event: &Common<'a>, arena: &'a Arena) -> Value<'a> {
    let known = |text: &'a str| if text.is_empty() { Value::Absent } else { Value::from(text) };
    match name {
        "evt.num" => Value::Uint(event.number),
        "evt.pluginname" => known(event.plugin),
        "evt.plugininfo" => known(event.info),
        "evt.source" => known(event.source),
        "evt.is_async" => Value::Bool(false),
        "evt.hostname" => known(event.hostname),
        _ => event.time.map_or(Value::Absent, |time| time_value(name, time, arena)),
    }
}

const NANOSECONDS: u64 = 1_000_000_000;
/// Hours, minutes, seconds and nanoseconds: how `evt.time` is written, and how an alert's output begins.
pub(crate) const TIME_OF_DAY: &str = "%H:%M:%S.%9f";

fn time_value<'a>(name: &str, time: u64, arena: &'a Arena) -> Value<'a> {
    let format = match name {
        "evt.rawtime" => return Value::Uint(time),
        "evt.rawtime.s" => return Value::Uint(time / NANOSECONDS),
        "evt.rawtime.ns" => return Value::Uint(time % NANOSECONDS),
        "evt.time" => TIME_OF_DAY,
        "evt.time.s" => "%H:%M:%S",
        "evt.time.iso8601" => "%Y-%m-%dT%H:%M:%S.%9f+0000",
        "evt.datetime" => "%Y-%m-%d %H:%M:%S.%9f",
        "evt.datetime.s" => "%Y-%m-%d %H:%M:%S",
        _ => return Value::Absent,
    };
    formatted(time, format).map_or(Value::Absent, |text| arena.text(text.as_bytes()))
}

/// A time, in nanoseconds since 1970, as text.
pub(crate) fn formatted(time: u64, format: &str) -> Option<String> {
    let timestamp = Timestamp::from_nanosecond(i128::from(time)).ok()?;
    Some(timestamp.to_zoned(TimeZone::UTC).strftime(format).to_string())
}

/// The nanoseconds since 1970 of an RFC 3339 time.
pub(crate) fn nanoseconds(text: &str) -> Option<u64> {
    let timestamp: Timestamp = text.parse().ok()?;
    u64::try_from(timestamp.as_nanosecond()).ok()
}
