//! Rows of `spans`: what the page of an incident draws as waterfall and process tree.
//!
//! Promises: a span that is sent again, such as the early root of an incident, replaces the row of its id unless it ends
//! earlier; 64-bit integers stay integers.

use super::event::{hex, signed};
use base64::{Engine, engine::general_purpose::STANDARD};
use lanner_proto::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value},
    trace::v1::Span,
};
use rusqlite::{Connection, params};
use serde_json::{Map, Value as Json, json};

const SPAN: &str = "INSERT INTO spans
    (trace_id, span_id, parent_span_id, name, kind, start_time, end_time, status, attributes, events, links, resource)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (trace_id, span_id) DO UPDATE SET
     parent_span_id = excluded.parent_span_id, name = excluded.name, kind = excluded.kind,
     start_time = excluded.start_time, end_time = excluded.end_time, status = excluded.status,
     attributes = excluded.attributes, events = excluded.events, links = excluded.links, resource = excluded.resource
    WHERE excluded.end_time >= spans.end_time";

/// Writes every span of a request. How many there are.
pub fn write(connection: &Connection, request: &ExportTraceServiceRequest) -> rusqlite::Result<i64> {
    let mut spans = 0;
    let mut upsert = connection.prepare_cached(SPAN)?;
    for group in &request.resource_spans {
        let attributes = group.resource.as_ref().map_or(&[][..], |resource| resource.attributes.as_slice());
        let resource = object(attributes).to_string();
        for span in group.scope_spans.iter().flat_map(|scope| &scope.spans) {
            upsert.execute(params![
                hex(&span.trace_id).unwrap_or_default(),
                hex(&span.span_id).unwrap_or_default(),
                hex(&span.parent_span_id),
                span.name,
                span.kind,
                signed(span.start_time_unix_nano),
                signed(span.end_time_unix_nano),
                span.status.as_ref().map_or(0, |status| status.code),
                object(&span.attributes).to_string(),
                events(span).to_string(),
                links(span).to_string(),
                resource,
            ])?;
            spans += 1;
        }
    }
    Ok(spans)
}

fn events(span: &Span) -> Json {
    let event = |event: &lanner_proto::trace::v1::span::Event| json!({"time": event.time_unix_nano, "name": event.name, "attributes": object(&event.attributes)});
    span.events.iter().map(event).collect()
}

fn links(span: &Span) -> Json {
    let link = |link: &lanner_proto::trace::v1::span::Link| json!({"trace_id": hex(&link.trace_id), "span_id": hex(&link.span_id), "attributes": object(&link.attributes)});
    span.links.iter().map(link).collect()
}

fn object(attributes: &[KeyValue]) -> Json {
    let pairs = attributes.iter().map(|pair| (pair.key.clone(), value(pair.value.as_ref())));
    Json::Object(pairs.collect::<Map<_, _>>())
}

/// The decoder has bounded how deep values nest.
fn value(held: Option<&AnyValue>) -> Json {
    match held.and_then(|any| any.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.as_str().into(),
        Some(any_value::Value::BoolValue(flag)) => (*flag).into(),
        Some(any_value::Value::IntValue(number)) => (*number).into(),
        Some(any_value::Value::DoubleValue(number)) => (*number).into(),
        Some(any_value::Value::BytesValue(bytes)) => STANDARD.encode(bytes).into(),
        Some(any_value::Value::ArrayValue(array)) => array.values.iter().map(|item| value(Some(item))).collect(),
        Some(any_value::Value::KvlistValue(list)) => object(&list.values),
        _ => Json::Null,
    }
}
