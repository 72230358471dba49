//! OTLP/HTTP.

use super::{
    super::rpc_status::RpcStatus,
    door::{Door, client, logs, metrics, traces},
    *,
};
use crate::otlp::{
    config::{GrpcConfig, HttpConfig},
    cors::CorsConfig,
};
use bytes::Bytes;
use lanner_engine::testing::Mood;
use prost::Message;
use std::io::Write;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// A POST and its status, content type and body.
async fn post(url: String, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, String, Bytes, Option<String>) {
    let mut request = client().post(url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let header = |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (status, kind, again) = (answer.status().as_u16(), header("content-type"), header("retry-after"));
    (status, kind.unwrap_or_default(), answer.bytes().await.unwrap(), again)
}

fn packed(name: &str, bytes: &[u8]) -> Vec<u8> {
    match name {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" | "zlib" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "zstd" => zstd::encode_all(bytes, 1).unwrap(),
        "snappy" => snap::raw::Encoder::new().compress_vec(bytes).unwrap(),
        "x-snappy-framed" => {
            let mut encoder = snap::write::FrameEncoder::new(Vec::new());
            encoder.write_all(bytes).unwrap();
            encoder.into_inner().unwrap()
        }
        _ => bytes.to_vec(),
    }
}

/// Scenario: protobuf of each signal, in each encoding, with parameters behind the content type.
/// Guarantee: 200 with an empty message of the same type; what arrives is byte for byte what was sent.
#[tokio::test]
async fn takes_every_signal_as_it_is() {
    let door = Door::open().await;
    let requests = [
        ("/v1/logs", Signal::Logs, logs(300).encode_to_vec(), 300),
        ("/v1/metrics", Signal::Metrics, metrics().encode_to_vec(), 2),
        ("/v1/traces", Signal::Traces, traces().encode_to_vec(), 1),
    ];
    for encoding in ["identity", "gzip", "zstd", "deflate", "zlib", "snappy", "x-snappy-framed"] {
        for (path, signal, bytes, items) in &requests {
            let headers = [("content-type", "Application/X-Protobuf; v=1"), ("content-encoding", encoding)];
            let answer = post(door.url(path), &headers, packed(encoding, bytes)).await;
            assert_eq!((answer.0, answer.1.as_str(), answer.2.len()), (200, PROTOBUF, 0), "{encoding} {path}");
            assert_eq!(door.taken().last(), Some(&(*signal, Bytes::from(bytes.clone()), *items)), "{encoding}");
        }
    }
    assert_eq!(door.capture.admitted(), 0);
    let empty = post(door.url("/v1/logs"), &[("content-type", PROTOBUF)], Vec::new()).await;
    assert_eq!(empty.0, 200, "an empty request is a success");
    door.close().await;
}

/// Scenario: what the pipeline says to a request, and what is wrong with requests, in both encodings.
/// Guarantee: the status of the table; the body is a `google.rpc.Status` in the request's encoding; Retry-After is
/// there exactly when the request is to be sent again; each is counted.
#[tokio::test]
async fn o1_every_refusal_has_its_status() {
    let door = Door::configured(GrpcConfig::default(), HttpConfig::default(), Signals::LOGS.and(Signals::TRACES));
    let good = |kind: &str| if kind == JSON { b"{}".to_vec() } else { logs(1).encode_to_vec() };
    for kind in [PROTOBUF, JSON] {
        let body = if kind == JSON {
            br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}"#.to_vec()
        } else {
            good(kind)
        };
        let bad = b"\x0a\xff[".to_vec();
        let deflated = ("content-encoding", "gzip");
        let cases = [
            (Mood::Busy, "/v1/logs", vec![], body.clone(), 503, 14, Some("1"), "busy"),
            (Mood::NoRoom, "/v1/logs", vec![], body.clone(), 503, 14, Some("1"), "busy"),
            (Mood::Draining, "/v1/logs", vec![], body.clone(), 503, 14, Some("5"), "draining"),
            (Mood::Taking, "/v1/logs", vec![], bad.clone(), 400, 3, None, "malformed"),
            (Mood::Taking, "/v1/logs", vec![deflated], bad, 400, 3, None, "corrupt_compression"),
            (
                Mood::Taking,
                "/v1/logs",
                vec![("content-encoding", "br")],
                good(kind),
                415,
                12,
                None,
                "unsupported_encoding",
            ),
            (Mood::Taking, "/v1/metrics", vec![], good(kind), 404, 12, None, "no_pipeline"),
            (Mood::Taking, "/v1/log", vec![], good(kind), 404, 12, None, "unknown_path"),
        ];
        for (mood, path, more, body, status, code, again, reason) in cases {
            door.capture.set(mood);
            let before = door.lost(reason);
            let headers = [vec![("content-type", kind)], more].concat();
            let answer = post(door.url(path), &headers, body).await;
            assert_eq!((answer.0, answer.1.as_str(), answer.3.as_deref()), (status, kind, again), "{kind} {reason}");
            let (found, message) = if kind == JSON {
                let json: serde_json::Value = serde_json::from_slice(&answer.2).unwrap();
                (json["code"].as_i64().unwrap() as i32, json["message"].as_str().unwrap().to_owned())
            } else {
                let status = RpcStatus::decode(answer.2).unwrap();
                (status.code, status.message)
            };
            assert_eq!(found, code, "{kind} {reason}");
            assert!(!message.is_empty(), "{kind} {reason}");
            assert_eq!(door.lost(reason), before + 1, "{kind} {reason}");
        }
    }
    assert!(door.taken().is_empty());
}

/// Scenario: GET on a signal's path, and a type that is neither protobuf nor JSON.
/// Guarantee: 405 with Allow, and 415.
#[tokio::test]
async fn method_and_type_are_checked() {
    let door = Door::open().await;
    let answer = client().get(door.url("/v1/logs")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["allow"].to_str().unwrap()), (405, "POST"));
    for kind in ["text/plain", "application/jsonx", ""] {
        assert_eq!(post(door.url("/v1/logs"), &[("content-type", kind)], Vec::new()).await.0, 415, "{kind}");
    }
    assert_eq!(door.lost("unknown_type"), 3);
}

/// Scenario: S1: a body above the limit as announced, as unpacked by each format, and a JSON text.
/// Guarantee: 413, counted, the room is given back.
#[tokio::test]
async fn sizes_are_capped_before_and_after_unpacking() {
    let http = HttpConfig { max_request_body_size: 1 << 20, ..HttpConfig::default() };
    let door = Door::configured(GrpcConfig::default(), http, Signals::ALL);
    let over = vec![b' '; (1 << 20) + 1];
    let bomb = vec![0; 64 << 20];
    for kind in [PROTOBUF, JSON] {
        assert_eq!(post(door.url("/v1/logs"), &[("content-type", kind)], over.clone()).await.0, 413);
        for name in ["gzip", "zstd", "deflate", "snappy", "x-snappy-framed"] {
            for bytes in [&over, &bomb] {
                let headers = [("content-type", kind), ("content-encoding", name)];
                assert_eq!(post(door.url("/v1/logs"), &headers, packed(name, bytes)).await.0, 413, "{name}");
            }
        }
    }
    assert_eq!(door.lost("too_large"), 22);
    assert_eq!(door.capture.admitted(), 0);
    // Small on the wire, eight bytes a number in protobuf.
    let numbers = "1,".repeat(200_000);
    let json = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{numbers}1]}}]}}}}]}}]}}]}}"#
    );
    assert_eq!(post(door.url("/v1/metrics"), &[("content-type", JSON)], json.into_bytes()).await.0, 413);
}

/// Scenario: paths of the user's own.
/// Guarantee: they work, the usual ones do not.
#[tokio::test]
async fn paths_can_be_changed() {
    let http = HttpConfig { logs_url_path: "/in".into(), ..HttpConfig::default() };
    let door = Door::configured(GrpcConfig::default(), http, Signals::ALL);
    let headers = [("content-type", PROTOBUF)];
    assert_eq!(post(door.url("/in"), &headers, logs(2).encode_to_vec()).await.0, 200);
    assert_eq!(post(door.url("/v1/logs"), &headers, logs(2).encode_to_vec()).await.0, 404);
    assert_eq!(door.taken().len(), 1);
}

/// Scenario: browsers ask before they send, and send, from pages that are allowed and not.
/// Guarantee: only allowed pages are told so; without `cors` there is no such header.
#[tokio::test]
async fn web_pages_are_let_in_by_origin() {
    let cors = CorsConfig {
        allowed_origins: vec!["https://*.example.com".into(), "http://localhost".into()],
        allowed_headers: vec!["x-tenant".into()],
        exposed_headers: vec!["retry-after".into()],
        max_age: 600,
    };
    let open = Door::configured(GrpcConfig::default(), HttpConfig { cors, ..HttpConfig::default() }, Signals::ALL);
    let closed = Door::open().await;
    for (door, origin, allowed) in [
        (&open, "https://app.example.com", true),
        (&open, "http://localhost", true),
        (&open, "https://app.example.com.evil.org", false),
        (&closed, "http://localhost", false),
    ] {
        let preflight = client()
            .request(reqwest::Method::OPTIONS, door.url("/v1/logs"))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .send()
            .await
            .unwrap();
        let sent = client().post(door.url("/v1/logs")).header("origin", origin).header("content-type", JSON).body("{}");
        let sent = sent.send().await.unwrap();
        assert_eq!(sent.status(), 200);
        for answer in [&preflight, &sent] {
            let told = answer.headers().get("access-control-allow-origin").map(|origin| origin.to_str().unwrap());
            assert_eq!(told, allowed.then_some(origin), "{origin}");
        }
        if allowed {
            assert_eq!(preflight.status(), 204);
            let header = |name| preflight.headers()[name].to_str().unwrap();
            assert_eq!(header("access-control-allow-headers"), "accept, content-type, x-requested-with, x-tenant");
            assert_eq!((header("access-control-allow-methods"), header("access-control-max-age")), ("POST", "600"));
            assert_eq!(sent.headers()["access-control-expose-headers"], "retry-after");
        }
    }
}
