//! Reading an `ExportLogsServiceRequest`.
//!
//! Promises: no input panics; values are read as [`any`](super::any) promises. Fields that OTLP may add later, and
//! `entity_refs`, are left out: whoever needs them keeps the request untouched, which the engine does wherever no
//! component must have records of its own.

use super::{
    DecodeError,
    any::{MAX_DEPTH, Make, key_value, text, value},
    texts::{Names, Texts},
    wire::{Field, Reader},
};
use crate::event::{Attributes, Key, LogGroup, LogRecord, Logs, Resource, Scope, SeverityNumber, Signal, Text, Value};
use bytes::Bytes;
use std::{ops::Range, sync::Arc};

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

pub(super) fn resource_logs(fields: Reader<'_>, logs: &mut Logs) -> Result<(), DecodeError> {
    let (resource, scopes) = resource_and_scopes(fields)?;
    let resource = Arc::new(resource);
    for scope in scopes {
        let (scope, records) = scope_logs(scope)?;
        logs.groups.push(LogGroup { resource: Arc::clone(&resource), scope: Arc::new(scope), records });
    }
    Ok(())
}

/// What is in a `ResourceLogs`: the resource, and its scopes, unread.
pub(super) fn resource_and_scopes<'a>(mut fields: Reader<'a>) -> Result<(Resource, Vec<Reader<'a>>), DecodeError> {
    let (mut resource, mut scopes) = (Resource::default(), Vec::new());
    while let Some((tag, field)) = fields.next()? {
        match (tag, field) {
            (1, Field::Bytes(part)) => read_resource(fields.nested(part), &mut resource)?,
            (2, Field::Bytes(part)) => scopes.push(fields.nested(part)),
            (3, Field::Bytes(part)) => resource.schema_url = text(&fields, part)?.into(),
            _ => {}
        }
    }
    Ok((resource, scopes))
}

pub(super) fn read_resource(mut fields: Reader<'_>, resource: &mut Resource) -> Result<(), DecodeError> {
    let (texts, mut names) = (Texts::of(fields.message()), Names::default());
    while let Some((tag, field)) = fields.next()? {
        match (tag, field) {
            (1, Field::Bytes(part)) => attribute(fields.nested(part), &texts, &mut names, &mut resource.attrs)?,
            (2, Field::Varint(count)) => resource.dropped_attributes_count = count as u32,
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn scope_logs(mut fields: Reader<'_>) -> Result<(Scope, Vec<LogRecord>), DecodeError> {
    let (mut scope, mut records, mut names) = (Scope::default(), Vec::new(), Names::default());
    while let Some((tag, field)) = fields.next()? {
        if let (2, Field::Bytes(part)) = (tag, field) {
            records.push(LogRecord::default());
            // It was just pushed.
            let Some(record) = records.last_mut() else { continue };
            whole_record(fields.nested(part), &mut names, record)?;
        } else {
            beside_records(&fields, tag, field, &mut scope)?;
        }
    }
    Ok((scope, records))
}

/// Reads a field of a `ScopeLogs` that is no record.
pub(super) fn beside_records<'a>(
    at: &Reader<'a>,
    tag: u64,
    field: Field<'a>,
    scope: &mut Scope,
) -> Result<(), DecodeError> {
    match (tag, field) {
        (1, Field::Bytes(part)) => read_scope(at.nested(part), scope)?,
        (3, Field::Bytes(part)) => scope.schema_url = text(at, part)?.into(),
        _ => {}
    }
    Ok(())
}

pub(super) fn read_scope(mut fields: Reader<'_>, scope: &mut Scope) -> Result<(), DecodeError> {
    let (texts, mut names) = (Texts::of(fields.message()), Names::default());
    while let Some((tag, field)) = fields.next()? {
        match (tag, field) {
            (1, Field::Bytes(part)) => scope.name = text(&fields, part)?.into(),
            (2, Field::Bytes(part)) => scope.version = text(&fields, part)?.into(),
            (3, Field::Bytes(part)) => attribute(fields.nested(part), &texts, &mut names, &mut scope.attrs)?,
            (4, Field::Varint(count)) => scope.dropped_attributes_count = count as u32,
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn log_record(fields: Reader<'_>) -> Result<LogRecord, DecodeError> {
    let mut record = LogRecord::default();
    whole_record(fields, &mut Names::default(), &mut record)?;
    Ok(record)
}

fn whole_record(fields: Reader<'_>, names: &mut Names, record: &mut LogRecord) -> Result<(), DecodeError> {
    record.attrs = Attributes::with_capacity(names.begin());
    read_record(fields, &mut Whole { texts: Texts::of(fields.message()), names }, record)
}

/// What becomes of those parts of a record that may be long.
pub(super) trait Take {
    fn text(&mut self, at: &Reader<'_>, part: &[u8]) -> Result<Text, DecodeError>;
    fn body(&mut self, fields: Reader<'_>) -> Result<Value, DecodeError>;
    /// An attribute, which is at this place in the record.
    fn attribute(
        &mut self,
        fields: Reader<'_>,
        place: Range<usize>,
        attributes: &mut Attributes,
    ) -> Result<(), DecodeError>;
}

/// Takes everything.
struct Whole<'a> {
    texts: Texts<'a>,
    names: &'a mut Names,
}

impl Take for Whole<'_> {
    fn text(&mut self, at: &Reader<'_>, part: &[u8]) -> Result<Text, DecodeError> {
        self.texts.text(at, part)
    }

    fn body(&mut self, fields: Reader<'_>) -> Result<Value, DecodeError> {
        value(fields, &self.texts, MAX_DEPTH)
    }

    fn attribute(
        &mut self,
        fields: Reader<'_>,
        _: Range<usize>,
        attributes: &mut Attributes,
    ) -> Result<(), DecodeError> {
        attribute(fields, &self.texts, self.names, attributes)
    }
}

/// Reads the fields of a `LogRecord` into an empty one.
pub(super) fn read_record(
    mut fields: Reader<'_>,
    take: &mut impl Take,
    record: &mut LogRecord,
) -> Result<(), DecodeError> {
    let mut start = fields.position();
    while let Some((tag, field)) = fields.next_short()? {
        let place = start..fields.position();
        start = place.end;
        match (tag, field) {
            (1, Field::Fixed64(time)) => record.time_unix_nano = time,
            // Numbers beyond the 24 that OTLP names are kept as far as they fit.
            (2, Field::Varint(number)) => record.severity_number = SeverityNumber(u8::try_from(number).unwrap_or(0)),
            (3, Field::Bytes(part)) => record.severity_text = take.text(&fields, part)?,
            (5, Field::Bytes(part)) => record.body = take.body(fields.nested(part))?,
            (6, Field::Bytes(part)) => take.attribute(fields.nested(part), place, &mut record.attrs)?,
            (7, Field::Varint(count)) => record.dropped_attributes_count = count as u32,
            (8, Field::Fixed32(flags)) => record.flags = flags,
            (9, Field::Bytes(part)) => record.trace_id = id(&fields, part)?,
            (10, Field::Bytes(part)) => record.span_id = id(&fields, part)?,
            (11, Field::Fixed64(time)) => record.observed_time_unix_nano = time,
            (12, Field::Bytes(part)) => record.event_name = take.text(&fields, part)?,
            _ => {}
        }
    }
    Ok(())
}

/// An id is absent (empty) or of its exact length.
pub(super) fn id<const N: usize>(at: &Reader<'_>, part: &[u8]) -> Result<[u8; N], DecodeError> {
    match part {
        [] => Ok([0; N]),
        _ => part.try_into().map_err(|_| at.error("trace or span id of a wrong length")),
    }
}

fn attribute(
    fields: Reader<'_>,
    texts: &Texts<'_>,
    names: &mut Names,
    attributes: &mut Attributes,
) -> Result<(), DecodeError> {
    let mut key = None;
    let value = key_value(fields, texts, |at, part| {
        key = Some(names.key(at, part)?);
        Ok(())
    })?;
    // Repeated names are the sender's; they are kept, so that nothing is lost on the way through.
    attributes.push(key.unwrap_or_else(|| Key::from_event(Text::EMPTY)), value);
    Ok(())
}
