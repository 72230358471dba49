//! Taking what can be taken of a logs request that [`decode_logs`](super::decode_logs) refuses.
//!
//! Promises: what is left decodes; records, scopes and resources that stay are byte for byte what they were; one pass,
//! one copy, and no more output than input. A resource or a scope that cannot be read takes its records along, because
//! without it they would say something else.

use super::{
    DecodeError,
    decode::{log_record, resource_logs, scope_logs},
    frame::{Envelope, open_envelope},
    wire::{Reader, Writer},
};
use crate::event::{Logs, OtlpRequest, Signal};
use bytes::Bytes;

/// A logs request without what could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvaged {
    /// What is left; it may have no records.
    pub request: OtlpRequest,
    /// Records that were left out; 0 when the unreadable part had none.
    pub rejected: usize,
    /// What is wrong with the first of them. The offset counts from the start of the smallest part that is wrong.
    pub first: DecodeError,
}

/// Leaves out the records that cannot be decoded. `None` when every one can.
///
/// # Errors
/// The frame around the records is malformed, so that nobody knows where one begins.
pub fn salvage_logs(bytes: &[u8]) -> Result<Option<Salvaged>, DecodeError> {
    let mut left = Left { writer: Writer::default(), kept: 0, rejected: 0, first: None };
    let mut fields = Reader::new(Signal::Logs, bytes);
    while let Some((tag, field)) = fields.next()? {
        if let (1, Some(part)) = (tag, field.bytes()) {
            left.resource(open_envelope(fields.nested(part), part)?)?;
        }
    }
    let Some(first) = left.first else { return Ok(None) };
    let bytes = Bytes::from(left.writer.out);
    let request = OtlpRequest { signal: Signal::Logs, bytes, items: left.kept };
    Ok(Some(Salvaged { request, rejected: left.rejected, first }))
}

struct Left {
    writer: Writer,
    kept: usize,
    rejected: usize,
    first: Option<DecodeError>,
}

/// Whether the fields beside the repeated one can be read.
fn readable(rest: &[&[u8]], read: impl Fn(Reader<'_>) -> Result<(), DecodeError>) -> Result<(), DecodeError> {
    rest.iter().try_for_each(|field| read(Reader::new(Signal::Logs, field)))
}

impl Left {
    fn reject(&mut self, records: usize, why: DecodeError) {
        self.rejected += records;
        self.first.get_or_insert(why);
    }

    fn resource(&mut self, resource: Envelope<'_>) -> Result<(), DecodeError> {
        let sound = readable(&resource.rest, |fields| resource_logs(fields, &mut Logs::default()));
        if let (true, Err(why)) = (resource.inner.is_empty(), &sound) {
            self.reject(0, why.clone());
        }
        for (fields, whole) in resource.inner {
            let scope = open_envelope(fields, whole)?;
            let sound = sound.clone().and_then(|()| readable(&scope.rest, |fields| scope_logs(fields).map(drop)));
            if let Err(why) = sound {
                self.reject(scope.inner.len(), why);
                continue;
            }
            let mut run = Vec::with_capacity(scope.inner.len());
            for (fields, bytes) in scope.inner {
                match log_record(fields) {
                    Ok(_) => run.push(bytes),
                    Err(why) => self.reject(1, why),
                }
            }
            if !run.is_empty() {
                self.kept += run.len();
                self.writer.group(&resource.rest, &scope.rest, &run);
            }
        }
        Ok(())
    }
}
