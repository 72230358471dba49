//! Reading an `ExportLogsServiceRequest`.
//!
//! Promises: no input panics; values nest at most [`MAX_DEPTH`] deep; text that is not UTF-8 is an error, as
//! protobuf demands. Fields that OTLP may add later, and `entity_refs`, are left out: whoever needs them keeps the
//! request untouched, which the engine does wherever no component looks at records.

use super::{
    DecodeError,
    wire::{Field, Reader},
};
use crate::event::{Attributes, Key, LogGroup, LogRecord, Logs, Resource, Scope, SeverityNumber, Signal, Text, Value};
use bytes::Bytes;
use std::sync::Arc;

/// How deep values may nest.
pub const MAX_DEPTH: usize = 64;

/// Decodes an `ExportLogsServiceRequest`.
///
/// # Errors
/// Malformed protobuf, text that is not UTF-8, or values nested deeper than [`MAX_DEPTH`].
pub fn decode_logs(bytes: &Bytes) -> Result<Logs, DecodeError> {
    let mut request = Reader::new(Signal::Logs, bytes);
    let mut logs = Logs::default();
    while let Some((tag, field)) = request.next()? {
        if let (1, Field::Bytes(part)) = (tag, field) {
            resource_logs(request.nested(part), &mut logs)?;
        }
    }
    Ok(logs)
}

pub(super) fn resource_logs(mut fields: Reader<'_>, logs: &mut Logs) -> Result<(), DecodeError> {
    let mut resource = Resource::default();
    let mut scopes = Vec::new();
    while let Some((tag, field)) = fields.next()? {
        match (tag, field) {
            (1, Field::Bytes(part)) => read_resource(fields.nested(part), &mut resource)?,
            (2, Field::Bytes(part)) => scopes.push(fields.nested(part)),
            (3, Field::Bytes(part)) => resource.schema_url = text(&fields, part)?,
            _ => {}
        }
    }
    let resource = Arc::new(resource);
    for scope in scopes {
        let (scope, records) = scope_logs(scope)?;
        logs.groups.push(LogGroup { resource: Arc::clone(&resource), scope: Arc::new(scope), records });
    }
    Ok(())
}

pub(super) fn read_resource(mut fields: Reader<'_>, resource: &mut Resource) -> Result<(), DecodeError> {
    while let Some((tag, field)) = fields.next()? {
        match (tag, field) {
            (1, Field::Bytes(part)) => key_value(fields.nested(part), &mut resource.attrs)?,
            (2, Field::Varint(count)) => resource.dropped_attributes_count = count as u32,
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn scope_logs(mut fields: Reader<'_>) -> Result<(Scope, Vec<LogRecord>), DecodeError> {
    let (mut scope, mut records) = (Scope::default(), Vec::new());
    while let Some((tag, field)) = fields.next()? {
        match (tag, field) {
            (1, Field::Bytes(part)) => read_scope(fields.nested(part), &mut scope)?,
            (2, Field::Bytes(part)) => records.push(log_record(fields.nested(part))?),
            (3, Field::Bytes(part)) => scope.schema_url = text(&fields, part)?,
            _ => {}
        }
    }
    Ok((scope, records))
}

fn read_scope(mut fields: Reader<'_>, scope: &mut Scope) -> Result<(), DecodeError> {
    while let Some((tag, field)) = fields.next()? {
        match (tag, field) {
            (1, Field::Bytes(part)) => scope.name = text(&fields, part)?,
            (2, Field::Bytes(part)) => scope.version = text(&fields, part)?,
            (3, Field::Bytes(part)) => key_value(fields.nested(part), &mut scope.attrs)?,
            (4, Field::Varint(count)) => scope.dropped_attributes_count = count as u32,
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn log_record(mut fields: Reader<'_>) -> Result<LogRecord, DecodeError> {
    let mut record = LogRecord::default();
    while let Some((tag, field)) = fields.next()? {
        match (tag, field) {
            (1, Field::Fixed64(time)) => record.time_unix_nano = time,
            // Numbers beyond the 24 that OTLP names are kept as far as they fit.
            (2, Field::Varint(number)) => record.severity_number = SeverityNumber(u8::try_from(number).unwrap_or(0)),
            (3, Field::Bytes(part)) => record.severity_text = text(&fields, part)?,
            (5, Field::Bytes(part)) => record.body = value(fields.nested(part), MAX_DEPTH)?,
            (6, Field::Bytes(part)) => key_value(fields.nested(part), &mut record.attrs)?,
            (7, Field::Varint(count)) => record.dropped_attributes_count = count as u32,
            (8, Field::Fixed32(flags)) => record.flags = flags,
            (9, Field::Bytes(part)) => record.trace_id = id(&fields, part)?,
            (10, Field::Bytes(part)) => record.span_id = id(&fields, part)?,
            (11, Field::Fixed64(time)) => record.observed_time_unix_nano = time,
            (12, Field::Bytes(part)) => record.event_name = text(&fields, part)?,
            _ => {}
        }
    }
    Ok(record)
}

/// An id is absent (empty) or of its exact length.
fn id<const N: usize>(at: &Reader<'_>, part: &[u8]) -> Result<[u8; N], DecodeError> {
    match part {
        [] => Ok([0; N]),
        _ => part.try_into().map_err(|_| at.error("trace or span id of a wrong length")),
    }
}

fn key_value(mut fields: Reader<'_>, attributes: &mut Attributes) -> Result<(), DecodeError> {
    let (mut key, mut attribute) = (Key::from_event(Text::EMPTY), Value::Empty);
    while let Some((tag, field)) = fields.next()? {
        match (tag, field) {
            (1, Field::Bytes(part)) => key = Key::from_event(text(&fields, part)?),
            (2, Field::Bytes(part)) => attribute = value(fields.nested(part), MAX_DEPTH)?,
            _ => {}
        }
    }
    // Repeated names are the sender's; they are kept, so that nothing is lost on the way through.
    attributes.push(key, attribute);
    Ok(())
}

/// Reads an `AnyValue`; of several members the last one wins, as protobuf's `oneof` demands.
fn value(mut fields: Reader<'_>, depth: usize) -> Result<Value, DecodeError> {
    let Some(depth) = depth.checked_sub(1) else { return Err(fields.error("values nested deeper than 64")) };
    let mut any = Value::Empty;
    while let Some((tag, field)) = fields.next()? {
        any = match (tag, field) {
            (1, Field::Bytes(part)) => Value::Text(text(&fields, part)?),
            (2, Field::Varint(flag)) => Value::Bool(flag != 0),
            (3, Field::Varint(number)) => Value::Int(number as i64),
            (4, Field::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
            (5, Field::Bytes(part)) => array(fields.nested(part), depth)?,
            (6, Field::Bytes(part)) => map(fields.nested(part), depth)?,
            (7, Field::Bytes(part)) => Value::Bytes(Bytes::copy_from_slice(part)),
            _ => any,
        };
    }
    Ok(any)
}

fn array(mut fields: Reader<'_>, depth: usize) -> Result<Value, DecodeError> {
    let mut items = Vec::new();
    while let Some((tag, field)) = fields.next()? {
        if let (1, Field::Bytes(part)) = (tag, field) {
            items.push(value(fields.nested(part), depth)?);
        }
    }
    Ok(Value::Array(items))
}

fn map(mut fields: Reader<'_>, depth: usize) -> Result<Value, DecodeError> {
    let mut pairs = Vec::new();
    while let Some((tag, field)) = fields.next()? {
        let (1, Field::Bytes(part)) = (tag, field) else { continue };
        let mut pair = fields.nested(part);
        let (mut key, mut item) = (Text::EMPTY, Value::Empty);
        while let Some((tag, field)) = pair.next()? {
            match (tag, field) {
                (1, Field::Bytes(part)) => key = text(&pair, part)?,
                (2, Field::Bytes(part)) => item = value(pair.nested(part), depth)?,
                _ => {}
            }
        }
        pairs.push((key, item));
    }
    Ok(Value::Map(pairs))
}

pub(super) fn text(at: &Reader<'_>, part: &[u8]) -> Result<Text, DecodeError> {
    std::str::from_utf8(part).map(Text::from).map_err(|_| at.error("text that is not UTF-8"))
}
