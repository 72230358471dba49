//! `Span` and `Traces`: OpenTelemetry's trace data model, for components that make spans.
//!
//! Spans are written ([`encode_traces`](super::otlp::encode_traces)) and never read: those of others pass as the bytes they
//! came as.

use super::{Attributes, Resource, Scope, Text};
use std::sync::Arc;

/// One span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    /// All zero for the root of a trace.
    pub parent_span_id: [u8; 8],
    pub name: Text,
    pub kind: SpanKind,
    /// In nanoseconds since 1970.
    pub start_time_unix_nano: u64,
    /// In nanoseconds since 1970; not before the start.
    pub end_time_unix_nano: u64,
    pub attrs: Attributes,
    pub dropped_attributes_count: u32,
    pub events: Vec<SpanEvent>,
    /// Events that the span had and that are not in `events`.
    pub dropped_events_count: u32,
    pub links: Vec<SpanLink>,
    pub dropped_links_count: u32,
    pub status: SpanStatus,
}

/// Something that happened at one moment of a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanEvent {
    /// In nanoseconds since 1970.
    pub time_unix_nano: u64,
    pub name: Text,
    pub attrs: Attributes,
    pub dropped_attributes_count: u32,
}

/// Another span that has to do with this one, perhaps of another trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanLink {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    pub attrs: Attributes,
}

/// Whose side of a call a span is. The numbers are those of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpanKind {
    #[default]
    Internal = 1,
    Server = 2,
    Client = 3,
    Producer = 4,
    Consumer = 5,
}

/// How a span ended. The numbers are those of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpanStatus {
    #[default]
    Unset = 0,
    Ok = 1,
    Error = 2,
}

/// Spans that share resource and scope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanGroup {
    pub resource: Arc<Resource>,
    pub scope: Arc<Scope>,
    pub spans: Vec<Span>,
}

/// Spans, grouped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traces {
    pub groups: Vec<SpanGroup>,
}

impl Traces {
    /// How many spans there are.
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.spans.len()).sum()
    }

    /// Whether there is no span.
    pub fn is_empty(&self) -> bool {
        self.groups.iter().all(|group| group.spans.is_empty())
    }
}
