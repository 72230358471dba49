//! Going over the records of a logs request one by one, of which only what somebody needs is made.
//!
//! Promises
//! - What [`decode_logs`](super::decode_logs) refuses is refused with the same error, whatever is needed: what is not made is
//!   checked.
//! - A record that is not changed stays byte for byte, and so does everything around records. A changed one keeps the bytes of
//!   all fields but the attributes that were needed, and these keep their places; new ones come last.
//! - One record is in memory at a time.
//!
//! How a changed record is put together: where bytes were passed over, its attributes have an entry [`Key::UNREAD`] with them,
//! so whatever is done to the attributes in between, an encoder that writes one after the other has everything in order.

use super::{
    DecodeError,
    any::{Check, MAX_DEPTH, Own, check_text, key_value, text, text_attribute, value},
    decode::{Take, beside_records, read_record, resource_and_scopes},
    encode::attribute,
    wire::{Field, Reader, Writer},
};
use crate::event::{Attributes, Key, LogRecord, OtlpRequest, Reads, Resource, Scope, Signal, Text, Value};
use bytes::Bytes;
use std::ops::Range;

/// Room for each record to grow before the request must move: for a short attribute.
const GROWTH: usize = 64;

/// Shows each record to `see`, with no more of it than `reads` says.
///
/// # Errors
/// Those of [`decode_logs`](super::decode_logs); some records were shown by then.
pub fn look(
    request: &OtlpRequest,
    reads: &Reads,
    mut see: impl FnMut(&Resource, &LogRecord),
) -> Result<(), DecodeError> {
    let see = |resource: &Resource, record: &mut LogRecord| {
        see(resource, record);
        false
    };
    Pass::new(request, reads, None, see).request()
}

/// Offers each record to `change`, which says whether it changed the attributes that `reads` names. It must change nothing
/// else and leave entries without a name where they are. The request afterwards, or `None` if nothing was changed.
///
/// # Errors
/// Those of [`decode_logs`](super::decode_logs); some records were changed by then.
pub fn edit(
    request: &OtlpRequest,
    reads: &Reads,
    change: impl FnMut(&Resource, &mut LogRecord) -> bool,
) -> Result<Option<OtlpRequest>, DecodeError> {
    let length = request.bytes.len();
    let out = Vec::with_capacity(length + length.min(GROWTH.saturating_mul(request.items)));
    let mut pass = Pass::new(request, reads, Some(Writer { out }), change);
    pass.request()?;
    let written = pass.written.filter(|_| pass.changed);
    Ok(written.map(|writer| OtlpRequest { bytes: writer.out.into(), ..*request }))
}

struct Pass<'r, F> {
    bytes: &'r Bytes,
    reads: &'r Reads,
    each: F,
    /// The record that is being read.
    record: LogRecord,
    /// What was passed over, where that is kept.
    written: Option<Writer>,
    changed: bool,
}

impl<'r, F: FnMut(&Resource, &mut LogRecord) -> bool> Pass<'r, F> {
    fn new(request: &'r OtlpRequest, reads: &'r Reads, written: Option<Writer>, each: F) -> Self {
        Self { bytes: &request.bytes, reads, each, record: LogRecord::default(), written, changed: false }
    }

    fn request(&mut self) -> Result<(), DecodeError> {
        let request = Reader::new(Signal::Logs, self.bytes);
        self.over(request, 1, |_, _, _| Ok(()), |this, part, _| this.inside(1, |this| this.resource_logs(part)))
    }

    fn resource_logs(&mut self, fields: Reader<'r>) -> Result<(), DecodeError> {
        let (resource, _) = resource_and_scopes(fields)?;
        let scope = |this: &mut Self, part, _: &_| this.inside(2, |this| this.scope_logs(&resource, part));
        self.over(fields, 2, |_, _, _| Ok(()), scope)
    }

    fn scope_logs(&mut self, resource: &Resource, fields: Reader<'r>) -> Result<(), DecodeError> {
        let mut scope = Scope::default();
        let beside = |at: &Reader<'r>, tag, field| beside_records(at, tag, field, &mut scope);
        self.over(fields, 2, beside, |this, part, field| this.log_record(resource, part, field))
    }

    /// Goes over the fields of a message: messages `tag` are given to `inner`, anything else to `beside`, and kept.
    fn over(
        &mut self,
        mut fields: Reader<'r>,
        tag: u64,
        mut beside: impl FnMut(&Reader<'r>, u64, Field<'r>) -> Result<(), DecodeError>,
        mut inner: impl FnMut(&mut Self, Reader<'r>, &'r [u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut start = fields.position();
        while let Some((number, field)) = fields.next()? {
            // The reader went over this range, so it lies inside.
            let whole = fields.message().get(start..fields.position()).unwrap_or_default();
            start = fields.position();
            match field.bytes().filter(|_| number == tag) {
                Some(part) => inner(self, fields.nested(part), whole)?,
                None => {
                    beside(&fields, number, field)?;
                    self.keep(whole);
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) {
        if let Some(writer) = &mut self.written {
            writer.out.extend_from_slice(bytes);
        }
    }

    /// Keeps a message `tag` around what `fields` keeps.
    fn inside(
        &mut self,
        tag: u8,
        fields: impl FnOnce(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let begin = self.written.as_mut().map(|writer| writer.open(tag));
        fields(self)?;
        if let (Some(begin), Some(writer)) = (begin, &mut self.written) {
            writer.close(begin);
        }
        Ok(())
    }

    fn log_record(&mut self, resource: &Resource, fields: Reader<'r>, whole: &[u8]) -> Result<(), DecodeError> {
        let before = std::mem::take(&mut self.record);
        self.record.attrs = before.attrs;
        self.record.attrs.clear();
        let mut needed = Needed {
            reads: self.reads,
            before: [before.severity_text, before.event_name],
            record: fields.message(),
            unread: self.written.is_some().then_some((self.bytes, 0)),
        };
        read_record(fields, &mut needed, &mut self.record)?;
        needed.pass_over(fields.message().len(), &mut self.record.attrs);
        if !(self.each)(resource, &mut self.record) {
            self.keep(whole);
            return Ok(());
        }
        self.changed = true;
        if let Some(writer) = &mut self.written {
            writer.message(2, |writer| {
                for (key, value) in self.record.attrs.iter() {
                    match value {
                        Value::Bytes(fields) if key.is_unread() => writer.out.extend_from_slice(fields),
                        _ => attribute(writer, 6, key, value),
                    }
                }
            });
        }
        Ok(())
    }
}

/// Takes what is needed of a record and checks the rest.
struct Needed<'r> {
    reads: &'r Reads,
    /// Texts that the record before had and this one may have as well.
    before: [Text; 2],
    record: &'r [u8],
    /// The request, and where in the record begins what was passed over; if that is kept.
    unread: Option<(&'r Bytes, usize)>,
}

impl Needed<'_> {
    /// Keeps what was passed over up to `end`.
    fn pass_over(&self, end: usize, attributes: &mut Attributes) {
        if let Some((bytes, start)) = self.unread
            && let Some(fields @ [_, ..]) = self.record.get(start..end)
        {
            // `slice_ref` wants a part of the request, and the record is one.
            attributes.push(Key::UNREAD, Value::Bytes(bytes.slice_ref(fields)));
        }
    }
}

impl Take for Needed<'_> {
    fn text(&mut self, at: &Reader<'_>, part: &[u8]) -> Result<Text, DecodeError> {
        match self.before.iter().find(|before| before.as_bytes() == part) {
            Some(same) => Ok(same.clone()),
            None => text(at, part).map(Text::from),
        }
    }

    fn body(&mut self, fields: Reader<'_>) -> Result<Value, DecodeError> {
        if self.reads.body {
            return value(fields, &Own, MAX_DEPTH);
        }
        value(fields, &Check, MAX_DEPTH).map(|_| Value::Empty)
    }

    fn attribute(
        &mut self,
        fields: Reader<'_>,
        place: Range<usize>,
        attributes: &mut Attributes,
    ) -> Result<(), DecodeError> {
        let mut name = text_attribute(fields.message()).map(|(name, _)| name);
        if name.is_none() {
            key_value(fields, &Check, |at, part| {
                name = Some(part);
                check_text(at, part)
            })?;
        }
        let Some(key) = self.reads.attributes.named(name.unwrap_or_default()) else { return Ok(()) };
        self.pass_over(place.start, attributes);
        attributes.push(key.clone(), key_value(fields, &Own, |_, _| Ok(()))?);
        if let Some((_, start)) = &mut self.unread {
            *start = place.end;
        }
        Ok(())
    }
}
