//! Writing an `ExportLogsServiceRequest`, in one pass and one buffer.
//!
//! Field numbers: opentelemetry-proto 1.x, `logs/v1/logs.proto` and `common/v1/common.proto`.

use super::wire::{Writer, put_varint};
use crate::event::{Attributes, Key, LogGroup, LogRecord, Logs, Resource, Scope, Value};
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
        for record in &group.records {
            writer.message(2, |writer| log_record(writer, record));
        }
        writer.bytes(3, group.scope.schema_url.as_bytes());
    });
    writer.bytes(3, group.resource.schema_url.as_bytes());
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

fn log_record(writer: &mut Writer, record: &LogRecord) {
    writer.fixed64(1, record.time_unix_nano);
    writer.varint(2, record.severity_number.0.into());
    writer.bytes(3, record.severity_text.as_bytes());
    if record.body != Value::Empty {
        writer.short_message(5, |writer| value(writer, &record.body));
    }
    attributes(writer, 6, &record.attrs);
    writer.varint(7, record.dropped_attributes_count.into());
    writer.fixed32(8, record.flags);
    if record.trace_id != [0; 16] {
        writer.bytes(9, &record.trace_id);
    }
    if record.span_id != [0; 8] {
        writer.bytes(10, &record.span_id);
    }
    writer.fixed64(11, record.observed_time_unix_nano);
    writer.bytes(12, record.event_name.as_bytes());
}

pub(super) fn attributes(writer: &mut Writer, tag: u8, attributes: &Attributes) {
    for (key, attribute) in attributes.iter() {
        if let (Some(key), Value::Text(text)) = (key.encoded_field(), attribute) {
            writer.text_attribute(tag, key, text.as_bytes());
            continue;
        }
        writer.short_message(tag, |writer| {
            key_field(writer, key);
            writer.short_message(2, |writer| value(writer, attribute));
        });
    }
}

fn key_field(writer: &mut Writer, key: &Key) {
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
        Value::Bool(flag) => writer.out.extend_from_slice(&[2 << 3, u8::from(*flag)]),
        Value::Int(number) => {
            writer.out.push(3 << 3);
            put_varint(&mut writer.out, *number as u64);
        }
        Value::Double(number) => {
            writer.out.push(4 << 3 | super::wire::FIXED64);
            writer.out.extend_from_slice(&number.to_bits().to_le_bytes());
        }
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
