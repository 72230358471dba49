//! `otlp`: clients act on statuses as the OTLP specification says; gRPC, and HTTP with both encodings.

use crate::otlp::Otlp;
use lanner_engine::{
    component::Factory,
    testing::receiver::push::{BODY_LIMIT, CONNECTIONS, Case, Expect, Format, Protocol, PushSubject},
};
use lanner_proto::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, ArrayValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use prost::Message;

/// A request with records that have these bodies.
fn logs(bodies: Vec<Option<AnyValue>>) -> Vec<u8> {
    let record = |body| LogRecord { time_unix_nano: 1_700_000_000_000_000_000, body, ..Default::default() };
    let scope_logs = vec![ScopeLogs { log_records: bodies.into_iter().map(record).collect(), ..Default::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] }.encode_to_vec()
}

fn text(text: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) })
}

/// A length-delimited field.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encode_length_delimiter(content.len(), &mut out).unwrap();
    [out, content.to_vec()].concat()
}

/// A request whose only record has arrays in arrays as its body.
fn deep() -> Vec<u8> {
    let innermost = AnyValue { value: Some(Value::ArrayValue(ArrayValue::default())) }.encode_to_vec();
    // `AnyValue.array_value` is 5, `ArrayValue.values` is 1; body, log_records, scope_logs, resource_logs.
    let body = (0..10_000).fold(innermost, |inner, _| field(5, &field(1, &inner)));
    [5, 2, 2, 1].into_iter().fold(body, |inner, number| field(number, &inner))
}

/// Two good records, then one with a text that runs over its end: nobody looks into records on the way in.
fn half_damaged() -> Vec<u8> {
    [logs(vec![text("good"); 2]), field(1, &field(2, &field(2, &[0x1a, 0x7f, b'x'])))].concat()
}

pub fn protobuf() -> PushSubject {
    PushSubject {
        title: "`otlp` (HTTP)",
        factory: Factory::receiver::<Otlp>(),
        config: |place| {
            format!(
                "protocols: {{http: {{endpoint: 'localhost:{}', max_request_body_size: {BODY_LIMIT}, max_connections: {CONNECTIONS}}}}}",
                place.port
            )
        },
        protocol: Protocol::Http1,
        path: "/v1/logs",
        content_type: "application/x-protobuf",
        encodings: &["gzip", "deflate", "zstd", "snappy"],
        format: Format::Protobuf,
        one: Case::new(logs(vec![text("one")]), Expect::taken("200", 1)),
        several: Case::new(logs(vec![text("one"), text("two"), text("three")]), Expect::taken("200", 3)),
        some_invalid: Case::new(half_damaged(), Expect::taken("200", 3)),
        invalid: Case::new(b"\x0a\xff[", Expect::refused("400", "malformed", 1)),
        too_deep: Case::new(deep(), Expect::taken("200", 1)),
        waits: false,
        busy: Expect::refused("503, Retry-After: 1", "busy", 0),
        no_room: Expect::refused("503, Retry-After: 1", "busy", 0),
        draining: Expect::refused("503, Retry-After: 5", "draining", 0),
        too_large: Expect::refused("413", "too_large", 1),
        too_slow: Expect::refused("503", "body_timeout", 0),
        sender_gone: Expect::taken("", 1),
        broken_body: Expect::refused("", "broken_body", 0),
    }
}

pub fn json() -> PushSubject {
    let record = |body: &str| format!(r#"{{"body":{body}}}"#);
    let request = |bodies: &[&str]| {
        let records: Vec<String> = bodies.iter().map(|body| record(body)).collect();
        format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#, records.join(","))
    };
    let good = r#"{"stringValue":"one"}"#;
    let deep = (0..10_000).fold(good.to_owned(), |inner, _| format!(r#"{{"arrayValue":{{"values":[{inner}]}}}}"#));
    PushSubject {
        title: "`otlp` (HTTP, JSON)",
        content_type: "application/json",
        format: Format::Json,
        one: Case::new(request(&[good]), Expect::taken("200", 1)),
        several: Case::new(request(&[good; 3]), Expect::taken("200", 3)),
        some_invalid: Case::new(request(&[good, "17", good]), Expect::refused("400", "malformed", 1)),
        invalid: Case::new("[]", Expect::refused("400", "malformed", 1)),
        too_deep: Case::new(request(&[&deep]), Expect::refused("400", "malformed", 1)),
        ..protobuf()
    }
}

pub fn grpc() -> PushSubject {
    let malformed = Expect::refused("INVALID_ARGUMENT", "malformed", 1);
    let PushSubject { one, several, some_invalid, invalid, too_deep, .. } = protobuf();
    let ok = |case: Case| Case { expect: Expect { sees: "OK", ..case.expect }, ..case };
    PushSubject {
        title: "`otlp` (gRPC)",
        config: |place| {
            format!(
                "protocols: {{grpc: {{endpoint: 'localhost:{}', max_recv_msg_size_mib: {}, max_connections: {CONNECTIONS}}}}}",
                place.port,
                BODY_LIMIT >> 20
            )
        },
        protocol: Protocol::Grpc,
        path: lanner_proto::grpc_path::LOGS,
        // Snappy means another format in gRPC.
        encodings: &["gzip", "deflate", "zstd"],
        content_type: "application/grpc",
        one: ok(one),
        several: ok(several),
        some_invalid: ok(some_invalid),
        invalid: Case { expect: malformed, ..invalid },
        too_deep: ok(too_deep),
        busy: Expect::refused("UNAVAILABLE, RetryInfo: 1 s", "busy", 0),
        no_room: Expect::refused("UNAVAILABLE, RetryInfo: 1 s", "busy", 0),
        draining: Expect::refused("UNAVAILABLE, RetryInfo: 5 s", "draining", 0),
        too_large: Expect::refused("RESOURCE_EXHAUSTED", "too_large", 1),
        too_slow: Expect::refused("UNAVAILABLE", "body_timeout", 0),
        sender_gone: Expect::refused("", "sender_gone", 0),
        ..protobuf()
    }
}
