//! Writing an `ExportTraceServiceRequest`, in the way of [`encode_logs`](super::encode_logs).
//!
//! Field numbers: opentelemetry-proto 1.x, `trace/v1/trace.proto`.

use super::{
    encode::{attributes, resource, scope, with_buffer},
    wire::Writer,
};
use crate::event::{Span, SpanEvent, SpanGroup, SpanLink, SpanStatus, Traces};
use bytes::Bytes;

/// Encodes an `ExportTraceServiceRequest`.
pub fn encode_traces(traces: &Traces) -> Bytes {
    with_buffer(|writer| {
        for group in &traces.groups {
            writer.message(1, |writer| resource_spans(writer, group));
        }
    })
}

fn resource_spans(writer: &mut Writer, group: &SpanGroup) {
    writer.message(1, |writer| resource(writer, &group.resource));
    writer.message(2, |writer| {
        writer.short_message(1, |writer| scope(writer, &group.scope));
        for one in &group.spans {
            writer.message(2, |writer| span(writer, one));
        }
        writer.bytes(3, group.scope.schema_url.as_bytes());
    });
    writer.bytes(3, group.resource.schema_url.as_bytes());
}

fn span(writer: &mut Writer, span: &Span) {
    writer.bytes(1, &span.trace_id);
    writer.bytes(2, &span.span_id);
    if span.parent_span_id != [0; 8] {
        writer.bytes(4, &span.parent_span_id);
    }
    writer.bytes(5, span.name.as_bytes());
    writer.varint(6, span.kind as u64);
    writer.fixed64(7, span.start_time_unix_nano);
    writer.fixed64(8, span.end_time_unix_nano);
    attributes(writer, 9, &span.attrs);
    writer.varint(10, span.dropped_attributes_count.into());
    for event in &span.events {
        writer.short_message(11, |writer| span_event(writer, event));
    }
    writer.varint(12, span.dropped_events_count.into());
    for link in &span.links {
        writer.short_message(13, |writer| span_link(writer, link));
    }
    writer.varint(14, span.dropped_links_count.into());
    if span.status != SpanStatus::Unset {
        writer.short_message(15, |writer| writer.varint(3, span.status as u64));
    }
}

fn span_event(writer: &mut Writer, event: &SpanEvent) {
    writer.fixed64(1, event.time_unix_nano);
    writer.bytes(2, event.name.as_bytes());
    attributes(writer, 3, &event.attrs);
    writer.varint(4, event.dropped_attributes_count.into());
}

fn span_link(writer: &mut Writer, link: &SpanLink) {
    writer.bytes(1, &link.trace_id);
    writer.bytes(2, &link.span_id);
    attributes(writer, 4, &link.attrs);
}
