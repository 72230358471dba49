//! Arbitrary logs, and the same logs as prost's messages.

use crate::event::{Attributes, Key, LogGroup, LogRecord, Logs, Resource, Scope, SeverityNumber, Text, Value};
use bytes::Bytes;
use lanner_proto::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value},
    logs::v1 as pb,
    resource::v1 as pbr,
};
use proptest::{collection::vec, prelude::*};
use std::sync::Arc;

pub fn text() -> impl Strategy<Value = Text> {
    // Lengths around 127 cross the border between one and two length bytes.
    prop_oneof!["\\PC{0,12}", "[ -~]{0,12}", "[a-z]{120,135}"].prop_map(Text::from)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Empty),
        text().prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("NaN equals nothing", |number| !number.is_nan()).prop_map(Value::Double),
        vec(any::<u8>(), 0..20).prop_map(|bytes| Value::Bytes(Bytes::from(bytes))),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![vec(inner.clone(), 0..5).prop_map(Value::Array), vec((text(), inner), 0..5).prop_map(Value::Map),]
    })
}

/// Interned names, names of events, and repeated ones.
pub fn attributes() -> impl Strategy<Value = Attributes> {
    let key = prop_oneof![
        prop::sample::select(vec!["service.name", "falco.priority", "k"]).prop_map(Key::intern),
        text().prop_map(Key::from_event),
    ];
    vec((key, value()), 0..5).prop_map(|pairs| {
        let mut attributes = Attributes::default();
        pairs.into_iter().for_each(|(key, value)| attributes.push(key, value));
        attributes
    })
}

prop_compose! {
    fn record()(
        times in any::<(u64, u64)>(),
        severity in any::<u8>(),
        texts in (text(), text()),
        body in value(),
        attrs in attributes(),
        counts in any::<(u32, u32)>(),
        ids in prop_oneof![Just(([0; 16], [0; 8])), any::<([u8; 16], [u8; 8])>()],
    ) -> LogRecord {
        LogRecord {
            time_unix_nano: times.0,
            observed_time_unix_nano: times.1,
            severity_number: SeverityNumber(severity),
            severity_text: texts.0,
            event_name: texts.1,
            body,
            attrs,
            dropped_attributes_count: counts.0,
            flags: counts.1,
            trace_id: ids.0,
            span_id: ids.1,
            raw: Default::default(),
        }
    }
}

prop_compose! {
    pub fn resource()(attrs in attributes(), dropped_attributes_count: u32, schema_url in text()) -> Arc<Resource> {
        Arc::new(Resource { attrs, dropped_attributes_count, schema_url })
    }
}

prop_compose! {
    pub fn scope()(
        texts in (text(), text(), text()),
        attrs in attributes(),
        dropped_attributes_count: u32,
    ) -> Arc<Scope> {
        Arc::new(Scope { name: texts.0, version: texts.1, attrs, dropped_attributes_count, schema_url: texts.2 })
    }
}

/// A resource with its scopes and their records.
type Grouped = (Arc<Resource>, Vec<(Arc<Scope>, Vec<LogRecord>)>);

/// Resources with several scopes each, as another sender may group them.
pub fn grouped() -> impl Strategy<Value = Vec<Grouped>> {
    vec((resource(), vec((scope(), vec(record(), 0..4)), 0..3)), 0..3)
}

/// Our form: a group per resource and scope.
pub fn flat(grouped: &[Grouped]) -> Logs {
    let groups = grouped.iter().flat_map(|(resource, scopes)| {
        scopes.iter().map(|(scope, records)| LogGroup {
            resource: Arc::clone(resource),
            scope: Arc::clone(scope),
            records: records.clone(),
        })
    });
    Logs { groups: groups.collect() }
}

/// Arbitrary logs.
pub fn logs() -> impl Strategy<Value = Logs> {
    grouped().prop_map(|grouped| flat(&grouped))
}

/// prost's form of grouped logs.
pub fn to_prost(grouped: &[Grouped]) -> ExportLogsServiceRequest {
    let resource_logs = grouped.iter().map(|(resource, scopes)| pb::ResourceLogs {
        resource: Some(prost_resource(resource)),
        scope_logs: scopes.iter().map(|(scope, records)| scope_logs(scope, records)).collect(),
        schema_url: resource.schema_url.to_string(),
    });
    ExportLogsServiceRequest { resource_logs: resource_logs.collect() }
}

/// prost's form of our logs.
pub fn logs_to_prost(logs: &Logs) -> ExportLogsServiceRequest {
    let grouped: Vec<Grouped> = logs
        .groups
        .iter()
        .map(|group| (Arc::clone(&group.resource), vec![(Arc::clone(&group.scope), group.records.clone())]))
        .collect();
    to_prost(&grouped)
}

pub fn prost_resource(resource: &Resource) -> pbr::Resource {
    pbr::Resource {
        attributes: pairs(&resource.attrs),
        dropped_attributes_count: resource.dropped_attributes_count,
        ..Default::default()
    }
}

pub fn prost_scope(scope: &Scope) -> InstrumentationScope {
    InstrumentationScope {
        name: scope.name.to_string(),
        version: scope.version.to_string(),
        attributes: pairs(&scope.attrs),
        dropped_attributes_count: scope.dropped_attributes_count,
    }
}

fn scope_logs(scope: &Scope, records: &[LogRecord]) -> pb::ScopeLogs {
    pb::ScopeLogs {
        scope: Some(prost_scope(scope)),
        log_records: records.iter().map(log_record).collect(),
        schema_url: scope.schema_url.to_string(),
    }
}

fn log_record(record: &LogRecord) -> pb::LogRecord {
    let id = |bytes: &[u8]| if bytes.iter().all(|byte| *byte == 0) { Vec::new() } else { bytes.to_vec() };
    pb::LogRecord {
        time_unix_nano: record.time_unix_nano,
        observed_time_unix_nano: record.observed_time_unix_nano,
        severity_number: record.severity_number.0.into(),
        severity_text: record.severity_text.to_string(),
        body: (record.body != Value::Empty).then(|| any_value(&record.body)),
        attributes: pairs(&record.attrs),
        dropped_attributes_count: record.dropped_attributes_count,
        flags: record.flags,
        trace_id: id(&record.trace_id),
        span_id: id(&record.span_id),
        event_name: record.event_name.to_string(),
    }
}

pub fn pairs(attributes: &Attributes) -> Vec<KeyValue> {
    attributes.iter().map(|(key, value)| pair(key.as_str(), value)).collect()
}

fn pair(key: &str, value: &Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any_value(value)), ..Default::default() }
}

fn any_value(value: &Value) -> AnyValue {
    use any_value::Value as Pb;
    let value = match value {
        Value::Empty => None,
        Value::Text(text) => Some(Pb::StringValue(text.to_string())),
        Value::Bool(flag) => Some(Pb::BoolValue(*flag)),
        Value::Int(number) => Some(Pb::IntValue(*number)),
        Value::Double(number) => Some(Pb::DoubleValue(*number)),
        Value::Bytes(bytes) => Some(Pb::BytesValue(bytes.to_vec())),
        Value::Array(items) => Some(Pb::ArrayValue(ArrayValue { values: items.iter().map(any_value).collect() })),
        Value::Map(entries) => Some(Pb::KvlistValue(KeyValueList {
            values: entries.iter().map(|(key, value)| pair(key, value)).collect(),
        })),
    };
    AnyValue { value }
}
