//! The traces encoder against prost.

use super::model::{attributes, pairs, prost_resource, prost_scope, resource, scope, text};
use crate::event::{
    Signal, Span, SpanEvent, SpanGroup, SpanKind, SpanLink, SpanStatus, Traces,
    otlp::{count_items, encode_traces},
};
use lanner_proto::{collector::trace::v1::ExportTraceServiceRequest, trace::v1 as pb};
use proptest::{collection::vec, prelude::*};
use prost::Message;

prop_compose! {
    fn event()(time_unix_nano: u64, name in text(), attrs in attributes(), dropped_attributes_count: u32) -> SpanEvent {
        SpanEvent { time_unix_nano, name, attrs, dropped_attributes_count }
    }
}

prop_compose! {
    fn link()(ids: ([u8; 16], [u8; 8]), attrs in attributes()) -> SpanLink {
        SpanLink { trace_id: ids.0, span_id: ids.1, attrs }
    }
}

prop_compose! {
    fn span()(
        ids: ([u8; 16], [u8; 8]),
        parent_span_id in prop_oneof![Just([0; 8]), any::<[u8; 8]>()],
        name in text(),
        kind in prop::sample::select(vec![
            SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer,
        ]),
        times: (u64, u64),
        attrs in attributes(),
        dropped: (u32, u32, u32),
        events in vec(event(), 0..4),
        links in vec(link(), 0..3),
        status in prop::sample::select(vec![SpanStatus::Unset, SpanStatus::Ok, SpanStatus::Error]),
    ) -> Span {
        Span {
            trace_id: ids.0,
            span_id: ids.1,
            parent_span_id,
            name,
            kind,
            start_time_unix_nano: times.0,
            end_time_unix_nano: times.1,
            attrs,
            dropped_attributes_count: dropped.0,
            events,
            dropped_events_count: dropped.1,
            links,
            dropped_links_count: dropped.2,
            status,
        }
    }
}

fn traces() -> impl Strategy<Value = Traces> {
    let group = (resource(), scope(), vec(span(), 0..4)).prop_map(|(resource, scope, spans)| SpanGroup {
        resource,
        scope,
        spans,
    });
    vec(group, 0..3).prop_map(|groups| Traces { groups })
}

fn prost_span(span: &Span) -> pb::Span {
    let event = |event: &SpanEvent| pb::span::Event {
        time_unix_nano: event.time_unix_nano,
        name: event.name.to_string(),
        attributes: pairs(&event.attrs),
        dropped_attributes_count: event.dropped_attributes_count,
    };
    let link = |link: &SpanLink| pb::span::Link {
        trace_id: link.trace_id.to_vec(),
        span_id: link.span_id.to_vec(),
        attributes: pairs(&link.attrs),
        ..Default::default()
    };
    let root = span.parent_span_id == [0; 8];
    pb::Span {
        trace_id: span.trace_id.to_vec(),
        span_id: span.span_id.to_vec(),
        parent_span_id: if root { Vec::new() } else { span.parent_span_id.to_vec() },
        name: span.name.to_string(),
        kind: span.kind as i32,
        start_time_unix_nano: span.start_time_unix_nano,
        end_time_unix_nano: span.end_time_unix_nano,
        attributes: pairs(&span.attrs),
        dropped_attributes_count: span.dropped_attributes_count,
        events: span.events.iter().map(event).collect(),
        dropped_events_count: span.dropped_events_count,
        links: span.links.iter().map(link).collect(),
        dropped_links_count: span.dropped_links_count,
        status: (span.status != SpanStatus::Unset)
            .then(|| pb::Status { code: span.status as i32, ..Default::default() }),
        ..Default::default()
    }
}

fn to_prost(traces: &Traces) -> ExportTraceServiceRequest {
    let resource_spans = traces.groups.iter().map(|group| pb::ResourceSpans {
        resource: Some(prost_resource(&group.resource)),
        scope_spans: vec![pb::ScopeSpans {
            scope: Some(prost_scope(&group.scope)),
            spans: group.spans.iter().map(prost_span).collect(),
            schema_url: group.scope.schema_url.to_string(),
        }],
        schema_url: group.resource.schema_url.to_string(),
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Scenario: any spans.
    /// Guarantee: prost reads, field by field, what the direct encoder wrote, and as many spans as were announced.
    #[test]
    fn prost_reads_the_spans_we_write(traces in traces()) {
        let bytes = encode_traces(&traces);
        prop_assert_eq!(count_items(Signal::Traces, &bytes)?, traces.len());
        prop_assert_eq!(ExportTraceServiceRequest::decode(bytes)?, to_prost(&traces));
    }
}
