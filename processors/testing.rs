//! What the tests of the parse processors share: records as other agents send them.

use bytes::Bytes;
use lanner_engine::{
    event::{LogGroup, OtlpRequest},
    prelude::*,
    testing::Transformed,
};
use proptest::{collection::vec, prelude::*};
use std::sync::Arc;

#[path = "../tests/support/data.rs"]
mod data;
pub use data::{lines, path};

/// When upstream read the records: 2025-06-01.
pub const OBSERVED: u64 = 1_748_736_000_000_000_000;

/// A record with this body.
pub fn carrier(body: impl Into<Value>) -> LogRecord {
    LogRecord { observed_time_unix_nano: OBSERVED, body: body.into(), ..LogRecord::default() }
}

/// Records of one agent, decoded.
pub fn group(resource: &[(&'static str, &str)], records: Vec<LogRecord>) -> Batch {
    let attrs = resource.iter().map(|(key, value)| ((*key).into(), Value::text(*value))).collect();
    let resource = Arc::new(Resource { attrs, ..Resource::default() });
    let scope = Arc::new(Scope { name: "upstream".into(), ..Scope::default() });
    Batch::logs(Logs { groups: vec![LogGroup { resource, scope, records }] })
}

/// The same as it comes from the wire.
pub fn untouched(batch: &Batch) -> Batch {
    Batch::otlp(batch.to_otlp())
}

/// Every record that was emitted with its resource and scope, untouched OTLP decoded.
pub fn emitted(out: &Transformed) -> Vec<(Arc<Resource>, Arc<Scope>, LogRecord)> {
    let mut all = Vec::new();
    for batch in out.batches() {
        let mut batch = batch.clone();
        batch.decode().expect("what is emitted is OTLP");
        for group in batch.into_logs().expect("decoded").groups {
            for record in group.records {
                all.push((Arc::clone(&group.resource), Arc::clone(&group.scope), record));
            }
        }
    }
    all
}

/// The attribute called so.
pub fn get<'a>(attrs: &'a Attributes, name: &str) -> Option<&'a Value> {
    attrs.iter().find(|(key, _)| key.as_str() == name).map(|(_, value)| value)
}

/// Asserts that a request leaves as the bytes it came as.
pub fn assert_untouched(out: &Transformed, request: &OtlpRequest) {
    let requests: Vec<_> = out.batches().iter().map(Batch::as_otlp).collect();
    assert_eq!(requests, [Some(request)]);
}

/// A length-delimited protobuf field with a short content.
pub fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(content);
    out
}

/// Any value made of these texts.
fn value(words: Vec<String>) -> impl Strategy<Value = Value> {
    let text = prop_oneof![prop::sample::select(words.clone()), "\\PC{0,20}"];
    let leaf = prop_oneof![
        text.clone().prop_map(Value::from),
        any::<i64>().prop_map(Value::Int),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Empty),
        text.clone().prop_map(|text| Value::Bytes(Bytes::from(text.into_bytes()))),
    ];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        let keys = prop::sample::select(words.clone()).prop_map(Text::from);
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Value::Array), vec((keys, inner), 0..4).prop_map(Value::Map),]
    })
}

/// Requests of records that no kind of event is in, but that use its words.
pub fn requests(words: &[&str]) -> impl Strategy<Value = OtlpRequest> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let key = prop::sample::select(words.clone());
    let record = (value(words.clone()), key, value(words), any::<u64>()).prop_map(|(body, key, attr, time)| {
        let mut record = carrier(body);
        record.time_unix_nano = time;
        record.attrs.push(Key::from_event(key.into()), attr);
        record
    });
    vec(vec(record, 0..4), 0..4).prop_map(|groups| {
        let groups = groups.into_iter().map(|records| LogGroup { records, ..LogGroup::default() });
        Batch::logs(Logs { groups: groups.collect() }).to_otlp()
    })
}
