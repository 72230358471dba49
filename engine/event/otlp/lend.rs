//! Reading a logs request record by record, without making records.
//!
//! Promises: what [`decode_logs`](super::decode_logs) refuses is refused with the same error, when its turn comes; what is lent
//! says what would be decoded.

use super::{
    DecodeError,
    any::{Check, MAX_DEPTH, array, check_text, map, short_attribute, short_text, text, value},
    decode::{id, log_record, read_scope, resource_and_scopes},
    texts::Texts,
    wire::{Field, Reader},
};
use crate::event::{AttributesRef, KeyRef, Lent, LogRecord, Resource, Scope, SeverityNumber, Signal, Value, ValueRef};
use smallvec::SmallVec;
use std::borrow::Cow;

/// Room for the attributes of most records, and of most resources.
const USUAL: usize = 32;

/// Room for the items of most lists.
const USUAL_ITEMS: usize = 8;

/// A request that is being read.
pub struct LogReader<'a> {
    request: Reader<'a>,
    /// The `ResourceLogs` around.
    around: &'a [u8],
    /// Those of its `ScopeLogs` that are not begun.
    scopes: smallvec::IntoIter<Scopes<'a>>,
    scope_logs: Option<Reader<'a>>,
    /// The last scope that was checked: others are mostly the same.
    scope: &'a [u8],
    record: &'a [u8],
    lent: Lent<'a>,
}

type Scopes<'a> = [Reader<'a>; 1];

impl<'a> LogReader<'a> {
    /// In front of the first record.
    pub fn of(request: &'a [u8]) -> Self {
        Self {
            request: Reader::new(Signal::Logs, request),
            around: &[],
            scopes: SmallVec::new().into_iter(),
            scope_logs: None,
            scope: &[],
            record: &[],
            lent: Lent {
                resource: AttributesRef::with_capacity(USUAL),
                attrs: AttributesRef::with_capacity(USUAL),
                ..Lent::default()
            },
        }
    }

    /// Goes on to the next record. Whether there is one.
    ///
    /// # Errors
    /// It, or something in front of it, is malformed. Nothing behind an error can be read.
    pub fn advance(&mut self) -> Result<bool, DecodeError> {
        loop {
            if self.in_scope()? {
                return Ok(true);
            }
            self.scope_logs = self.scopes.next();
            if self.scope_logs.is_some() {
                continue;
            }
            let Some((tag, field)) = self.request.next()? else { return Ok(false) };
            if let (1, Field::Bytes(part)) = (tag, field) {
                self.around = part;
                self.scopes = resource_logs(self.request.nested(part), &mut self.lent.resource)?.into_iter();
            }
        }
    }

    /// The next record of the current scope.
    fn in_scope(&mut self) -> Result<bool, DecodeError> {
        let Some(fields) = &mut self.scope_logs else { return Ok(false) };
        while let Some((tag, field)) = fields.next()? {
            match (tag, field) {
                (1, Field::Bytes(part)) if part != self.scope => {
                    read_scope(fields.nested(part), &mut Scope::default())?;
                    self.scope = part;
                }
                (2, Field::Bytes(part)) => {
                    self.record = part;
                    return read_record(fields.nested(part), &mut self.lent).map(|()| true);
                }
                (3, Field::Bytes(part)) => check_text(fields, part)?,
                _ => {}
            }
        }
        Ok(false)
    }

    /// The current record.
    pub fn lent(&self) -> &Lent<'a> {
        &self.lent
    }

    /// The current record for whoever needs it decoded.
    ///
    /// # Errors
    /// None: it was read already.
    pub fn decode(&self) -> Result<(Resource, LogRecord), DecodeError> {
        let reader = |part| Reader::new(Signal::Logs, part);
        Ok((resource_and_scopes(reader(self.around))?.0, log_record(reader(self.record))?))
    }
}

fn resource_logs<'a>(
    mut fields: Reader<'a>,
    attributes: &mut AttributesRef<'a>,
) -> Result<SmallVec<Scopes<'a>>, DecodeError> {
    attributes.clear();
    let mut scopes = SmallVec::new();
    while let Some((tag, field)) = fields.next()? {
        match (tag, field) {
            (1, Field::Bytes(part)) => {
                let mut fields = fields.nested(part);
                while let Some((tag, field)) = fields.next()? {
                    if let (1, Field::Bytes(part)) = (tag, field) {
                        attribute(&fields, part, attributes)?;
                    }
                }
            }
            (2, Field::Bytes(part)) => scopes.push(fields.nested(part)),
            (3, Field::Bytes(part)) => check_text(&fields, part)?,
            _ => {}
        }
    }
    Ok(scopes)
}

fn read_record<'a>(mut fields: Reader<'a>, lent: &mut Lent<'a>) -> Result<(), DecodeError> {
    lent.attrs.clear();
    (lent.time_unix_nano, lent.observed_time_unix_nano) = (0, 0);
    (lent.severity_number, lent.event_name, lent.body) = (SeverityNumber::UNSPECIFIED, "", ValueRef::Empty);
    loop {
        // Most fields are short attributes, one behind the other.
        while let Some(part) = fields.next_if_short(6) {
            attribute(&fields, part, &mut lent.attrs)?;
        }
        let Some((tag, field)) = fields.next()? else { return Ok(()) };
        match (tag, field) {
            (1, Field::Fixed64(time)) => lent.time_unix_nano = time,
            (2, Field::Varint(number)) => lent.severity_number = SeverityNumber(u8::try_from(number).unwrap_or(0)),
            (3, Field::Bytes(part)) => check_text(&fields, part)?,
            (5, Field::Bytes(part)) => lent.body = lend(fields.nested(part))?,
            (6, Field::Bytes(part)) => attribute(&fields, part, &mut lent.attrs)?,
            (9, Field::Bytes(part)) => id::<16>(&fields, part).map(drop)?,
            (10, Field::Bytes(part)) => id::<8>(&fields, part).map(drop)?,
            (11, Field::Fixed64(time)) => lent.observed_time_unix_nano = time,
            (12, Field::Bytes(part)) => lent.event_name = text(&fields, part)?,
            _ => {}
        }
    }
}

/// Reads an attribute and adds it.
#[inline]
fn attribute<'a>(at: &Reader<'a>, pair: &'a [u8], attributes: &mut AttributesRef<'a>) -> Result<(), DecodeError> {
    if let Some((name, text)) = short_attribute(pair)
        && let Some(key) = KeyRef::known(name)
        && let Ok(text) = std::str::from_utf8(text)
    {
        attributes.push((key, ValueRef::Text(Cow::Borrowed(text))));
        return Ok(());
    }
    attributes.push(any_attribute(at.nested(pair))?);
    Ok(())
}

fn any_attribute<'a>(mut fields: Reader<'a>) -> Result<(KeyRef<'a>, ValueRef<'a>), DecodeError> {
    let (mut key, mut value) = (KeyRef::default(), ValueRef::Empty);
    while let Some((tag, field)) = fields.next_short()? {
        match (tag, field) {
            (1, Field::Bytes(part)) => key = key_of(&fields, part)?,
            (2, Field::Bytes(part)) => value = lend(fields.nested(part))?,
            _ => {}
        }
    }
    Ok((key, value))
}

fn key_of<'a>(at: &Reader<'_>, name: &'a [u8]) -> Result<KeyRef<'a>, DecodeError> {
    KeyRef::known(name).map_or_else(|| text(at, name).map(KeyRef::of), Ok)
}

/// Lends an `AnyValue`.
fn lend<'a>(mut fields: Reader<'a>) -> Result<ValueRef<'a>, DecodeError> {
    if let Some(part) = short_text(fields.message()) {
        return Ok(ValueRef::Text(Cow::Borrowed(text(&fields, part)?)));
    }
    let mut any = ValueRef::Empty;
    while let Some((tag, field)) = fields.next_short()? {
        any = match (tag, field) {
            (1, Field::Bytes(part)) => ValueRef::Text(Cow::Borrowed(text(&fields, part)?)),
            (2, Field::Varint(flag)) => ValueRef::Bool(flag != 0),
            (3, Field::Varint(number)) => ValueRef::Int(number as i64),
            (4, Field::Fixed64(bits)) => ValueRef::Double(f64::from_bits(bits)),
            (5, Field::Bytes(part)) => {
                array(fields.nested(part), &Check, MAX_DEPTH - 1)?;
                ValueRef::Encoded(fields.message())
            }
            (6, Field::Bytes(part)) => {
                map(fields.nested(part), &Check, MAX_DEPTH - 1)?;
                ValueRef::Encoded(fields.message())
            }
            (7, Field::Bytes(_)) => ValueRef::Encoded(fields.message()),
            _ => continue,
        };
    }
    Ok(any)
}

/// Decodes an `AnyValue` that was lent.
pub(in crate::event) fn lent_value(any: &[u8]) -> Value {
    // It was checked when it was lent.
    value(Reader::new(Signal::Logs, any), &Texts::of(any), MAX_DEPTH).unwrap_or_default()
}

/// The items of an `AnyValue` that was lent, if it is a list.
pub(in crate::event) fn lent_items(any: &[u8]) -> Option<Vec<ValueRef<'_>>> {
    let mut fields = Reader::new(Signal::Logs, any);
    let mut list = None;
    while let Ok(Some((tag, field))) = fields.next() {
        match (tag, field) {
            (5, Field::Bytes(part)) => list = Some(fields.nested(part)),
            (1 | 6 | 7, Field::Bytes(_)) | (2 | 3, Field::Varint(_)) | (4, Field::Fixed64(_)) => list = None,
            _ => {}
        }
    }
    let (mut fields, mut items) = (list?, Vec::with_capacity(USUAL_ITEMS));
    while let Ok(Some((tag, field))) = fields.next_short() {
        if let (1, Field::Bytes(part)) = (tag, field) {
            items.push(lend(fields.nested(part)).unwrap_or_default());
        }
    }
    Some(items)
}
