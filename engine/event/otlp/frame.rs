//! Counting and splitting requests of any signal without decoding their items.
//!
//! The three requests have the same frame: `resource_x = 1 { 1: resource, 2: scope_x { 1: scope, 2: item, .. }, .. }`.
//! An item is a log record, a span, or a metric; a metric counts as its data points.

use super::{
    DecodeError,
    wire::{Field, Reader, Writer},
};
use crate::event::{OtlpRequest, Signal};
use std::ops::Range;

/// Counts the items of a request: log records, data points or spans.
///
/// # Errors
/// The framing is malformed.
pub fn count_items(signal: Signal, bytes: &[u8]) -> Result<usize, DecodeError> {
    let mut items = 0;
    for_each(Reader::new(signal, bytes), 1, |resource| {
        for_each(resource, 2, |scope| {
            for_each(scope, 2, |item| {
                items += item_count(signal, item)?;
                Ok(())
            })
        })
    })?;
    Ok(items)
}

/// Calls `visit` with each length-delimited field `wanted`.
fn for_each<'a>(
    mut fields: Reader<'a>,
    wanted: u64,
    mut visit: impl FnMut(Reader<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    while let Some((tag, field)) = fields.next()? {
        if let (true, Field::Bytes(part)) = (tag == wanted, field) {
            visit(fields.nested(part))?;
        }
    }
    Ok(())
}

/// One for a record or a span, the data points for a metric.
fn item_count(signal: Signal, mut item: Reader<'_>) -> Result<usize, DecodeError> {
    if signal != Signal::Metrics {
        return Ok(1);
    }
    let mut points = 0;
    while let Some((tag, field)) = item.next()? {
        // gauge 5, sum 7, histogram 9, exponential histogram 10, summary 11: data points are field 1 of each.
        if let (5 | 7 | 9 | 10 | 11, Field::Bytes(data)) = (tag, field) {
            for_each(item.nested(data), 1, |_| {
                points += 1;
                Ok(())
            })?;
        }
    }
    Ok(points)
}

/// Splits a request into requests of at most so many items and bytes (0 is no limit). Items stay byte for byte as
/// they were; the resource and scope in front of them are repeated. A single item over a limit stays whole, and a
/// metric is never split.
///
/// # Errors
/// The framing is malformed.
pub fn split(request: &OtlpRequest, max_items: usize, max_bytes: usize) -> Result<Vec<OtlpRequest>, DecodeError> {
    parted(request, Parts::new(request.signal, max_items, max_bytes))
}

/// The first items of a request, at most so many but at least one (of metrics, one metric), and the rest, each with what
/// stands around it. One request when there is no rest.
///
/// # Errors
/// The framing is malformed.
pub fn split_first(request: &OtlpRequest, items: usize) -> Result<Vec<OtlpRequest>, DecodeError> {
    parted(request, Parts { only_first: true, ..Parts::new(request.signal, items.max(1), 0) })
}

fn parted(request: &OtlpRequest, mut parts: Parts) -> Result<Vec<OtlpRequest>, DecodeError> {
    let bytes: &[u8] = &request.bytes;
    let mut fields = Reader::new(request.signal, bytes);
    while let Some((tag, field)) = fields.next()? {
        if let (1, Some(part)) = (tag, field.bytes()) {
            parts.resource(fields.nested(part), part)?;
        }
    }
    parts.close();
    Ok(parts.done)
}

/// The items for which `wanted` says yes, given their number from 0, with what stands around them, byte for byte and in
/// order. Data points count as items, but a metric is kept or left as a whole: any of its points is enough to keep it.
///
/// # Errors
/// The framing is malformed.
pub fn pick(request: &OtlpRequest, mut wanted: impl FnMut(usize) -> bool) -> Result<OtlpRequest, DecodeError> {
    let bytes: &[u8] = &request.bytes;
    let (mut parts, mut number) = (Parts::new(request.signal, 0, 0), 0);
    let mut fields = Reader::new(request.signal, bytes);
    while let Some((tag, field)) = fields.next()? {
        let (1, Some(part)) = (tag, field.bytes()) else { continue };
        let resource = open_envelope(fields.nested(part), part)?;
        for (scope, whole) in resource.inner {
            let scope = open_envelope(scope, whole)?;
            let (mut run, mut items) = (Vec::new(), 0);
            for (item, bytes) in scope.inner {
                let points = item_count(request.signal, item)?;
                if (number..number + points).any(&mut wanted) {
                    run.push(bytes);
                    items += points;
                }
                number += points;
            }
            parts.write(&resource.rest, &scope.rest, &run, items);
        }
    }
    Ok(parts.whole())
}

/// The requests made so far.
pub(super) struct Parts {
    signal: Signal,
    max_items: usize,
    max_bytes: usize,
    /// Whether the limits hold for the first part only.
    only_first: bool,
    done: Vec<OtlpRequest>,
    open: Vec<u8>,
    items: usize,
}

/// A message without one of its repeated fields.
pub(super) struct Envelope<'a> {
    /// The other fields as they are.
    pub rest: Vec<&'a [u8]>,
    /// The content of the repeated field.
    pub inner: Vec<(Reader<'a>, &'a [u8])>,
}

pub(super) fn open_envelope<'a>(mut fields: Reader<'a>, whole: &'a [u8]) -> Result<Envelope<'a>, DecodeError> {
    let mut envelope = Envelope { rest: Vec::new(), inner: Vec::new() };
    let mut start = fields.position();
    while let Some((tag, field)) = fields.next()? {
        let range: Range<usize> = start..fields.position();
        start = range.end;
        match (tag, field.bytes()) {
            (2, Some(part)) => envelope.inner.push((fields.nested(part), part)),
            // The reader went over this range, so it lies inside.
            _ => envelope.rest.extend(whole.get(range)),
        }
    }
    Ok(envelope)
}

impl Writer {
    /// One resource with one scope: their own fields, then the items.
    pub(super) fn group(&mut self, resource: &[&[u8]], scope: &[&[u8]], items: &[&[u8]]) {
        self.message(1, |writer| {
            resource.iter().for_each(|part| writer.out.extend_from_slice(part));
            writer.message(2, |writer| {
                scope.iter().for_each(|part| writer.out.extend_from_slice(part));
                items.iter().for_each(|item| writer.bytes_always(2, item));
            });
        });
    }
}

impl Parts {
    pub fn new(signal: Signal, max_items: usize, max_bytes: usize) -> Self {
        Self { signal, max_items, max_bytes, only_first: false, done: Vec::new(), open: Vec::new(), items: 0 }
    }

    fn resource(&mut self, fields: Reader<'_>, whole: &[u8]) -> Result<(), DecodeError> {
        let resource = open_envelope(fields, whole)?;
        for (scope, whole) in resource.inner {
            let scope = open_envelope(scope, whole)?;
            let frame = resource.rest.iter().chain(&scope.rest).map(|part| part.len()).sum::<usize>() + 16;
            let mut run: Vec<&[u8]> = Vec::new();
            let (mut run_items, mut run_bytes) = (0, 0);
            for (item, bytes) in scope.inner {
                let count = item_count(self.signal, item)?;
                let over = |limit: usize, size: usize| limit != 0 && size > limit;
                let size = self.open.len() + frame + run_bytes + bytes.len() + 8;
                let items = self.items + run_items + count;
                if (over(self.max_items, items) || over(self.max_bytes, size)) && self.items + run_items > 0 {
                    self.write(&resource.rest, &scope.rest, &run, run_items);
                    self.close();
                    (run_items, run_bytes) = (0, 0);
                    run.clear();
                }
                run.push(bytes);
                run_items += count;
                run_bytes += bytes.len() + 8;
            }
            self.write(&resource.rest, &scope.rest, &run, run_items);
        }
        Ok(())
    }

    /// Writes items with what stands around them.
    pub fn write(&mut self, resource: &[&[u8]], scope: &[&[u8]], run: &[&[u8]], items: usize) {
        if run.is_empty() {
            return;
        }
        let mut writer = Writer { out: std::mem::take(&mut self.open) };
        writer.group(resource, scope, run);
        self.open = writer.out;
        self.items += items;
    }

    /// What was written since the last close, as one request.
    pub fn whole(mut self) -> OtlpRequest {
        let (bytes, items) = (std::mem::take(&mut self.open).into(), self.items);
        OtlpRequest { signal: self.signal, bytes, items }
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            let bytes = std::mem::take(&mut self.open).into();
            self.done.push(OtlpRequest { signal: self.signal, bytes, items: std::mem::take(&mut self.items) });
            if self.only_first {
                (self.max_items, self.max_bytes) = (0, 0);
            }
        }
    }
}
