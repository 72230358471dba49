//! Writing an `ExportLogsServiceRequest`, in one pass and one buffer.
//!
//! Field numbers: opentelemetry-proto 1.x, `logs/v1/logs.proto` and `common/v1/common.proto`.

use super::wire::{Writer, put_varint};
use crate::event::{Attributes, Key, LogGroup, LogRecord, Logs, Resource, Scalar, Scope, SeverityNumber, Value};
use bytes::Bytes;
use std::cell::RefCell;

/// Up to so many bytes are written into a buffer that the thread keeps, then copied to memory of exactly their size: a
/// queue holds requests for long and is bounded by their length.
const KEPT: usize = 64 << 10;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Encodes an `ExportLogsServiceRequest`.
pub fn encode_logs(logs: &Logs) -> Bytes {
    with_buffer(|writer| {
        for group in &logs.groups {
            writer.message(1, |writer| resource_logs(writer, group));
        }
    })
}

/// What `write` writes.
pub(super) fn with_buffer(write: impl FnOnce(&mut Writer)) -> Bytes {
    let mut writer = Writer { out: BUFFER.take() };
    writer.out.clear();
    write(&mut writer);
    if writer.out.capacity() > KEPT {
        return writer.out.into();
    }
    let bytes = Bytes::copy_from_slice(&writer.out);
    BUFFER.set(writer.out);
    bytes
}

fn resource_logs(writer: &mut Writer, group: &LogGroup) {
    writer.message(1, |writer| resource(writer, &group.resource));
    writer.message(2, |writer| {
        writer.short_message(1, |writer| scope(writer, &group.scope));
        group.records.iter().for_each(|record| kept_record(writer, record));
        writer.bytes(3, group.scope.schema_url.as_bytes());
    });
    writer.bytes(3, group.resource.schema_url.as_bytes());
}

/// A record that was made, as a member of its scope.
pub(super) fn kept_record(writer: &mut Writer, record: &LogRecord) {
    let head = RecordHead {
        time_unix_nano: record.time_unix_nano,
        observed_time_unix_nano: record.observed_time_unix_nano,
        severity_number: record.severity_number,
        severity_text: &record.severity_text,
        event_name: &record.event_name,
        dropped_attributes_count: record.dropped_attributes_count,
        flags: record.flags,
        trace_id: record.trace_id,
        span_id: record.span_id,
    };
    let body = |writer: &mut Writer| {
        if record.body != Value::Empty {
            writer.short_message(5, |writer| value(writer, &record.body));
        }
    };
    writer.message(2, |writer| {
        log_record(writer, &head, body, |writer| attributes(writer, 6, &record.attrs));
    });
}

/// The fields of a `Resource`.
pub(super) fn resource(writer: &mut Writer, resource: &Resource) {
    attributes(writer, 1, &resource.attrs);
    writer.varint(2, resource.dropped_attributes_count.into());
}

/// The fields of an `InstrumentationScope`.
pub(super) fn scope(writer: &mut Writer, scope: &Scope) {
    writer.bytes(1, scope.name.as_bytes());
    writer.bytes(2, scope.version.as_bytes());
    attributes(writer, 3, &scope.attrs);
    writer.varint(4, scope.dropped_attributes_count.into());
}

/// The fields of a `LogRecord` but body and attributes.
#[derive(Default)]
pub(crate) struct RecordHead<'r> {
    pub time_unix_nano: u64,
    pub observed_time_unix_nano: u64,
    pub severity_number: SeverityNumber,
    pub severity_text: &'r str,
    pub event_name: &'r str,
    pub dropped_attributes_count: u32,
    pub flags: u32,
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
}

/// The fields of a `LogRecord`; `body` and `attributes` write theirs.
pub(super) fn log_record(
    writer: &mut Writer,
    head: &RecordHead<'_>,
    body: impl FnOnce(&mut Writer),
    attributes: impl FnOnce(&mut Writer),
) {
    writer.fixed64(1, head.time_unix_nano);
    writer.varint(2, head.severity_number.0.into());
    writer.bytes(3, head.severity_text.as_bytes());
    body(writer);
    attributes(writer);
    writer.varint(7, head.dropped_attributes_count.into());
    writer.fixed32(8, head.flags);
    if head.trace_id != [0; 16] {
        writer.bytes(9, &head.trace_id);
    }
    if head.span_id != [0; 8] {
        writer.bytes(10, &head.span_id);
    }
    writer.fixed64(11, head.observed_time_unix_nano);
    writer.bytes(12, head.event_name.as_bytes());
}

pub(super) fn attributes(writer: &mut Writer, tag: u8, attributes: &Attributes) {
    attributes.iter().for_each(|(key, value)| attribute(writer, tag, key, value));
}

pub(super) fn attribute(writer: &mut Writer, tag: u8, key: &Key, attribute: &Value) {
    if let (Some(key), Value::Text(text)) = (key.encoded_field(), attribute) {
        return writer.text_attribute(tag, key, text.as_bytes());
    }
    writer.short_message(tag, |writer| {
        key_field(writer, key);
        writer.short_message(2, |writer| value(writer, attribute));
    });
}

pub(super) fn key_field(writer: &mut Writer, key: &Key) {
    match key.encoded_field() {
        Some(field) => writer.out.extend_from_slice(field),
        None => writer.bytes(1, key.as_str().as_bytes()),
    }
}

/// The fields of an `AnyValue`.
fn value(writer: &mut Writer, any: &Value) {
    match any {
        Value::Empty => {}
        Value::Text(text) => writer.bytes_always(1, text.as_bytes()),
        Value::Bool(flag) => boolean(writer, *flag),
        Value::Int(number) => integer(writer, *number),
        Value::Double(number) => double(writer, *number),
        Value::Array(items) => writer.short_message(5, |writer| {
            for item in items {
                writer.short_message(1, |writer| value(writer, item));
            }
        }),
        Value::Map(pairs) => writer.message(6, |writer| {
            for (key, item) in pairs {
                writer.message(1, |writer| {
                    writer.bytes(1, key.as_bytes());
                    writer.message(2, |writer| value(writer, item));
                });
            }
        }),
        Value::Bytes(bytes) => writer.bytes_always(7, bytes),
    }
}

/// The same of a value without parts.
pub(super) fn scalar(writer: &mut Writer, any: &Scalar<'_>) {
    match any {
        Scalar::Empty => {}
        Scalar::Text(text) => writer.bytes_always(1, text.as_bytes()),
        Scalar::Word(word) => writer.bytes_always(1, word.as_bytes()),
        Scalar::Shared(text) => writer.bytes_always(1, text.as_bytes()),
        Scalar::Bool(flag) => boolean(writer, *flag),
        Scalar::Int(number) => integer(writer, *number),
        Scalar::Double(number) => double(writer, *number),
    }
}

fn boolean(writer: &mut Writer, flag: bool) {
    writer.out.extend_from_slice(&[2 << 3, u8::from(flag)]);
}

fn integer(writer: &mut Writer, number: i64) {
    writer.out.push(3 << 3);
    put_varint(&mut writer.out, number as u64);
}

fn double(writer: &mut Writer, number: f64) {
    writer.out.push(4 << 3 | super::wire::FIXED64);
    writer.out.extend_from_slice(&number.to_bits().to_le_bytes());
}
