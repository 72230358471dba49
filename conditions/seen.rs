//! A record as conditions see it.

use crate::{
    access::{Access, Attribute, Reader, ancestors},
    schema::rank,
    value::read,
};
use jiff::Timestamp;
use lanner_engine::{
    event::{LogRecord, Resource, Value},
    semantics::priority,
};
use lanner_rules::{
    audit::{AuditEvent, Meta},
    evaluate::{Arena, FieldId, Fields, Value as Found},
};
use std::{cell::OnceCell, io::Write};

/// A record with its resource.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'e> {
    pub resource: &'e Resource,
    pub record: &'e LogRecord,
}

/// A record through the fields of one program.
pub struct SeenFields<'e> {
    seen: Seen<'e>,
    access: &'e Access,
    arena: &'e Arena,
    /// The raw audit event, once a field of it was asked for.
    audit: OnceCell<Option<AuditEvent<'e>>>,
}

impl<'e> SeenFields<'e> {
    /// The fields of a program whose places are `access`.
    pub fn new(access: &'e Access, seen: Seen<'e>, arena: &'e Arena) -> Self {
        Self { seen, access, arena, audit: OnceCell::new() }
    }

    /// A field of the raw audit event. Where there is none, the attributes have to do.
    fn of_audit(&self, field: FieldId) -> Option<Found<'_>> {
        let event = self.audit.get_or_init(|| {
            let (plan, text) = (self.access.audit.as_ref()?, self.seen.record.raw.text()?);
            let meta = Meta { time: Some(self.seen.record.time_unix_nano), ..Meta::default() };
            AuditEvent::new(text.as_bytes(), meta, plan, self.arena).ok()
        });
        event.as_ref().map(|event| event.get(field))
    }

    fn attribute(&self, place: &Attribute) -> Option<&'e Value> {
        match place {
            Attribute::Record(key) => self.seen.record.attrs.get(key),
            Attribute::Resource(key) => self.seen.resource.attrs.get(key),
        }
    }

    fn time(&self) -> Option<u64> {
        let record = self.seen.record;
        [record.time_unix_nano, record.observed_time_unix_nano].into_iter().find(|time| *time > 0)
    }
}

impl Fields for SeenFields<'_> {
    fn get(&self, field: FieldId) -> Found<'_> {
        let Some(place) = self.access.fields.get(field.index()) else { return Found::Absent };
        let read = |value| read(value, place.kind, place.is_list, self.arena);
        let record = self.seen.record;
        match &place.reader {
            Reader::Attributes { audit: true, .. } if record.raw.text().is_some() => {
                self.of_audit(field).unwrap_or_default()
            }
            Reader::Attributes { places, .. } => {
                let value = places.iter().find_map(|place| self.attribute(place));
                value.map_or(Found::Absent, read)
            }
            Reader::Ancestor { preserved, place } => {
                let listed = || match record.attrs.get(ancestors()) {
                    Some(Value::Array(names)) => names.get(*place),
                    _ => None,
                };
                let value = record.attrs.get(preserved).or_else(listed);
                value.map_or(Found::Absent, read)
            }
            Reader::Priority => priority(record).map_or(Found::Absent, |priority| Found::Int(rank(priority))),
            Reader::Body => read(&record.body),
            Reader::EventName => text(record.event_name.as_str()),
            Reader::SeverityNumber => match record.severity_number.0 {
                0 => Found::Absent,
                number => Found::Int(number.into()),
            },
            Reader::SeverityText => text(record.severity_text.as_str()),
            Reader::Time => self.time().map_or(Found::Absent, Found::Uint),
            Reader::TimeText => {
                let time = self.time().and_then(|time| Timestamp::from_nanosecond(time.into()).ok());
                time.map_or(Found::Absent, |time| {
                    let mut out = Vec::with_capacity(32);
                    // Writing to a Vec cannot fail.
                    let _ = write!(out, "{time:.9}");
                    self.arena.text(&out)
                })
            }
        }
    }
}

fn text(text: &str) -> Found<'_> {
    if text.is_empty() { Found::Absent } else { Found::from(text) }
}
