use super::{OtlpHttp, config::Config, config::Plan};
use crate::{
    http::{REPLY_LIMIT, retry_after},
    otlp_reply::{ExportResponse, PartialSuccess, RpcStatus},
    testing::{Answer, Authority, Sink, Stuck, body, build_cx, counted, cut_body, endless_body, logs, metrics, traces},
};
use http::{HeaderMap, Response};
use jiff::Timestamp;
use lanner_engine::{prelude::*, testing::planning};
use prost::Message;
use serde_json::{Value as Json, json};
use std::{io::Read, time::Duration};

fn plan(config: Json) -> Option<Plan> {
    let config: Config = serde_json::from_value(config).unwrap();
    planning(|cx| OtlpHttp::plan(config, cx)).0
}

async fn exporter(config: Json) -> Box<dyn Exporter> {
    Box::new(plan(config).unwrap()).build(&build_cx()).await.unwrap()
}

async fn plain(sink: &Sink) -> Box<dyn Exporter> {
    exporter(json!({"endpoint": format!("http://{}", sink.address)})).await
}

fn answer(status: u16, content_type: &str, bytes: Vec<u8>) -> Answer {
    let mut answer = Response::new(body(bytes));
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
    answer.headers_mut().insert("content-type", content_type.parse().unwrap());
    answer
}

/// Scenario: every status from 200 to 599 that a server may send, with Retry-After.
/// Guarantee: 2xx is delivered; 429, 502, 503, 504 are tried again, the delay is used on 429 and 503 only; the rest
/// is rejected (500 too), and what is said of us or the address is told apart from what is said of the request.
#[tokio::test]
async fn every_status_falls_into_its_class() {
    let sink = Sink::start(|request| {
        let status = request.headers()["x-status"].to_str().unwrap().parse().unwrap();
        let mut answer = answer(status, "text/plain", Vec::new());
        answer.headers_mut().insert("retry-after", 7.into());
        answer
    })
    .await;
    for status in 200..600 {
        let exporter = exporter(json!({
            "endpoint": format!("http://{}", sink.address), "headers": {"x-status": status.to_string()},
        }))
        .await;
        let outcome = exporter.export(&logs(1)).await;
        let delay = Some(Duration::from_secs(7));
        match (status, &outcome) {
            (200..=299, Outcome::Delivered) => {}
            (429 | 503, Outcome::Retry { after, .. }) => assert_eq!(*after, delay),
            (502 | 504, Outcome::Retry { after, .. }) => assert_eq!(*after, None),
            (429 | 502..=504, _) => panic!("{status}: {outcome:?}"),
            (300..400 | 401..=405 | 407 | 410 | 415 | 421 | 501, Outcome::Refuse { reason })
            | (400.., Outcome::Reject { reason }) => {
                assert!(reason.starts_with(&format!("HTTP {status}")), "{reason}");
                assert!(![401, 403, 404].contains(&status) || matches!(outcome, Outcome::Refuse { .. }), "{status}");
            }
            _ => panic!("{status}: {outcome:?}"),
        }
    }
}

/// Scenario: Retry-After as seconds, as a date, in the past, absurd, damaged.
/// Guarantee: a delay is found where there is one, and is at most an hour.
#[test]
fn retry_after_in_both_forms() {
    let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
    let cases = [
        ("120", Some(120)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
        ("Sun, 06 Nov 1994 08:48:37 GMT", None),
        ("Sun, 06 Nov 2094 08:49:37 GMT", Some(3600)),
        ("99999999999999999999999999", Some(3600)),
        ("0", None),
        ("", None),
        ("-5", None),
        ("soon", None),
    ];
    for (text, seconds) in cases {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", text.parse().unwrap());
        assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text}");
    }
}

/// Scenario: errors with a protobuf Status, with text, with escape sequences; a redirect.
/// Guarantee: the reason carries what the server says, tamed; a redirect is told and not followed.
#[tokio::test]
async fn reasons_say_what_the_server_said() {
    let status = RpcStatus { code: 3, message: b"bad field".to_vec(), details: Vec::new() };
    let cases = [
        (400, "application/x-protobuf", status.encode_to_vec(), "HTTP 400 Bad Request: bad field"),
        (403, "text/plain", b"quota\x1b[2J\n".to_vec(), r"HTTP 403 Forbidden: quota\u{1b}[2J"),
        (401, "application/x-protobuf", vec![0xff, 0xff], "HTTP 401 Unauthorized: \u{fffd}\u{fffd}"),
        (500, "text/plain", Vec::new(), "HTTP 500 Internal Server Error"),
    ];
    for (code, content_type, bytes, expected) in cases {
        let sink = Sink::start(move |_| answer(code, content_type, bytes.clone())).await;
        let reason = expected.to_owned();
        let expected = if [401, 403].contains(&code) { Outcome::Refuse { reason } } else { Outcome::Reject { reason } };
        assert_eq!(plain(&sink).await.export(&logs(1)).await, expected);
    }
    let elsewhere = Sink::start(|_| answer(200, "text/plain", Vec::new())).await;
    let target = format!("http://{}", elsewhere.address);
    let location = format!("{target}/v1/logs");
    let sink = Sink::start(move |_| {
        let mut answer = answer(307, "text/plain", Vec::new());
        answer.headers_mut().insert("location", location.parse().unwrap());
        answer
    })
    .await;
    let Outcome::Refuse { reason } = plain(&sink).await.export(&logs(1)).await else { panic!("followed") };
    assert!(reason.contains(&target), "{reason}");
    assert!(elsewhere.seen().is_empty());
}

/// Scenario: a server that repeats a header and the URL, as text and in a Status (S9).
/// Guarantee: neither the header's value nor the token in the URL is in the reason.
#[tokio::test]
async fn s9_an_echo_does_not_leak() {
    for content_type in ["text/plain", "application/x-protobuf"] {
        let sink = Sink::start(move |request| {
            let told = format!("{} {}", request.headers()["authorization"].to_str().unwrap(), request.uri());
            let status = RpcStatus { code: 16, message: told.clone().into_bytes(), details: Vec::new() };
            let bytes = if content_type == "text/plain" { told.into_bytes() } else { status.encode_to_vec() };
            answer(401, content_type, bytes)
        })
        .await;
        let exporter = exporter(json!({
            "logs_endpoint": format!("http://{}/in?token=canary-in-the-url", sink.address),
            "headers": {"authorization": "Bearer canary-in-a-header"},
        }))
        .await;
        let Outcome::Refuse { reason } = exporter.export(&logs(1)).await else { panic!("{content_type}") };
        assert!(reason.contains("[REDACTED]") && !reason.contains("canary"), "{reason}");
    }
}

/// Scenario: partial success, a warning, an unreadable reply, a reply of another type, an endless and a cut one (S4).
/// Guarantee: what the sink took is delivered once; what cannot be read is counted.
#[tokio::test]
async fn s4_replies_of_success() {
    let reply = |rejected, text: &str| {
        let partial = PartialSuccess { rejected, error_message: text.into() };
        ExportResponse { partial_success: Some(partial) }.encode_to_vec()
    };
    let protobuf = "application/x-protobuf; charset=utf-8";
    let partial = Outcome::Partial { rejected: 1, reason: "old".into() };
    let cases = [
        (protobuf, reply(1, "old"), partial, 0),
        (protobuf, reply(0, "hint"), Outcome::Delivered, 0),
        (protobuf, vec![0xff; 8], Outcome::Delivered, 1),
        (protobuf, vec![0; REPLY_LIMIT + 1], Outcome::Delivered, 1),
        ("text/html", reply(1, "not ours"), Outcome::Delivered, 0),
    ];
    for (content_type, bytes, expected, unreadable) in cases {
        let sink = Sink::start(move |_| answer(200, content_type, bytes.clone())).await;
        let cx = build_cx();
        let plan = plan(json!({"endpoint": format!("http://{}", sink.address)})).unwrap();
        let exporter = Box::new(plan).build(&cx).await.unwrap();
        assert_eq!(exporter.export(&logs(3)).await, expected);
        assert_eq!(counted(&cx, "lanner_exporter_unreadable_replies"), unreadable);
    }
    for (status, delivered) in [(200, true), (400, false)] {
        for cut in [true, false] {
            let sink = Sink::start(move |_| {
                let mut answer = Response::new(if cut { cut_body(b"ab") } else { endless_body() });
                *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
                answer
            })
            .await;
            let outcome = plain(&sink).await.export(&logs(1)).await;
            match outcome {
                Outcome::Delivered => assert!(delivered),
                Outcome::Reject { reason } => assert!(!delivered && reason.len() < 1200, "{reason}"),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Scenario: nothing listens; the server hangs up.
/// Guarantee: both are tried again, and a token in the URL is not in the reason.
#[tokio::test]
async fn network_errors_are_tried_again() {
    let sink = Sink::start(|_| answer(200, "text/plain", Vec::new())).await;
    let gone = sink.address;
    sink.stop().await;
    let stuck = Stuck::start().await;
    for address in [gone, stuck.address] {
        let exporter = exporter(json!({"logs_endpoint": format!("http://{address}/in?token=canary")})).await;
        let Outcome::Retry { after: None, reason } = exporter.export(&logs(1)).await else { panic!("{address}") };
        assert!(!reason.contains("canary"), "{reason}");
    }
}

/// Scenario: each signal, in each compression, with headers; a URL of its own for metrics.
/// Guarantee: the sink reads exactly the request's bytes, at the right path, with what was configured.
#[tokio::test]
async fn what_arrives_is_what_was_given() {
    let sink = Sink::start(|_| answer(200, "application/x-protobuf", Vec::new())).await;
    for compression in ["gzip", "zstd", "snappy", "x-snappy-framed", "deflate", "zlib", "none"] {
        for (request, path) in [(logs(2000), "/otlp/v1/logs"), (metrics(), "/m?x=1"), (traces(), "/otlp/v1/traces")] {
            let exporter = exporter(json!({
                "endpoint": format!("http://{}/otlp/", sink.address),
                "metrics_endpoint": format!("http://{}/m?x=1", sink.address),
                "compression": compression, "headers": {"Authorization": "Bearer canary"},
            }))
            .await;
            assert_eq!(exporter.export(&request).await, Outcome::Delivered);
            let seen = sink.seen().pop().unwrap();
            assert_eq!((seen.method(), seen.uri().path_and_query().unwrap().as_str()), (&http::Method::POST, path));
            assert_eq!(seen.headers()["authorization"], "Bearer canary");
            assert_eq!(seen.headers()["content-type"], "application/x-protobuf");
            assert!(seen.headers()["user-agent"].to_str().unwrap().starts_with("Lanner/"));
            assert!(!seen.headers().contains_key("accept-encoding"));
            let name = seen.headers().get("content-encoding").map(|name| name.to_str().unwrap());
            assert_eq!(name.unwrap_or("none"), compression);
            let mut plain = Vec::new();
            match compression {
                "gzip" => drop(flate2::read::GzDecoder::new(&seen.body()[..]).read_to_end(&mut plain).unwrap()),
                "zstd" => plain = zstd::decode_all(&seen.body()[..]).unwrap(),
                "snappy" => plain = snap::raw::Decoder::new().decompress_vec(seen.body()).unwrap(),
                "x-snappy-framed" => {
                    snap::read::FrameDecoder::new(&seen.body()[..]).read_to_end(&mut plain).unwrap();
                }
                "deflate" | "zlib" => {
                    flate2::read::ZlibDecoder::new(&seen.body()[..]).read_to_end(&mut plain).unwrap();
                }
                _ => plain = seen.body().to_vec(),
            }
            assert_eq!(plain, request.bytes()[..]);
        }
    }
}

/// Scenario: TLS with a private CA, right and wrong; mutual TLS; a proxy in the way.
/// Guarantee: requests go through exactly when the configured trust allows it; a proxy is used when configured.
#[tokio::test]
async fn tls_and_proxy() {
    let (ca, stranger) = (Authority::new(), Authority::new());
    let (cert, key) = ca.identity("client");
    let cases = [
        ("localhost", false, json!({"ca_pem": ca.pem}), true),
        ("elsewhere", false, json!({"ca_pem": ca.pem}), false),
        ("elsewhere", false, json!({"ca_pem": ca.pem, "server_name_override": "elsewhere"}), true),
        ("localhost", false, json!({"ca_pem": stranger.pem}), false),
        ("elsewhere", false, json!({"insecure_skip_verify": true}), true),
        ("localhost", true, json!({"ca_pem": ca.pem, "cert_pem": cert, "key_pem": key}), true),
        ("localhost", true, json!({"ca_pem": ca.pem}), false),
    ];
    for (name, mutual, tls, through) in cases {
        let answers = |_: &_| answer(200, "text/plain", Vec::new());
        let sink = Sink::start_at("127.0.0.1:0", Some(ca.server(name, mutual)), answers).await;
        let endpoint = format!("https://localhost:{}", sink.address.port());
        let outcome = exporter(json!({"endpoint": endpoint, "tls": tls})).await.export(&logs(1)).await;
        match outcome {
            Outcome::Delivered => assert!(through, "{name} {tls}"),
            Outcome::Retry { reason, .. } => assert!(!through, "{name} {tls}: {reason}"),
            other => panic!("{other:?}"),
        }
    }
    let proxy = Sink::start(|_| answer(200, "text/plain", Vec::new())).await;
    let proxy_url = format!("http://{}", proxy.address);
    let exporter = exporter(json!({"endpoint": "http://sink.invalid:4318", "proxy_url": proxy_url})).await;
    assert_eq!(exporter.export(&logs(1)).await, Outcome::Delivered);
    assert_eq!(proxy.seen()[0].uri().host(), Some("sink.invalid"));
}

/// Scenario: configurations that cannot work, and ones that can for some signals only.
/// Guarantee: the first are found at plan; a signal without endpoint is rejected, not lost silently.
#[tokio::test]
async fn endpoints() {
    for bad in ["localhost:4318", "ftp://a", "http://", "http://u:p@a", "http://a?x=1", "http://a#b"] {
        assert!(plan(json!({"endpoint": bad})).is_none(), "{bad}");
    }
    assert!(plan(json!({})).is_none());
    for (key, value) in [
        ("encoding", json!("json")),
        ("proxy_url", json!("::")),
        ("logs_endpoint", json!("nowhere")),
        ("headers", json!({"Content-Type": "text/plain"})),
        ("tls", json!({"key_file": "only"})),
    ] {
        assert!(plan(json!({"endpoint": "http://a", key: value})).is_none(), "{key}");
    }
    let exporter = exporter(json!({"logs_endpoint": "http://127.0.0.1:1/x"})).await;
    assert!(matches!(exporter.export(&metrics()).await, Outcome::Refuse { .. }));
}

/// Scenario: a config with secrets is printed and serialized.
/// Guarantee: none of them shows.
#[test]
fn secrets_do_not_show() {
    let config: Config = serde_json::from_value(json!({
        "endpoint": "http://a", "headers": {"x": "canary"}, "proxy_url": "http://u:canary@p", "tls": {"key_pem": "canary"},
    }))
    .unwrap();
    assert!(!format!("{config:?}{}", serde_json::to_string(&config).unwrap()).contains("canary"));
}

/// Scenario: every key that the Collector's exporter has (v0.159).
/// Guarantee: it is taken, or answered with what to do instead; never only "unknown key".
#[test]
fn every_key_of_the_collector_has_an_answer() {
    let factory = crate::ALL.iter().find(|factory| factory.type_name == "otlp_http").unwrap();
    let taken = [
        "compression: x-snappy-framed",
        "proxy_url: http://proxy:3128",
        "headers: {x: y}",
        "encoding: proto",
        "tls: {ca_file: a}",
        "logs_endpoint: http://a/l\nmetrics_endpoint: http://a/m\ntraces_endpoint: http://a/t",
    ];
    let answered = [
        "encoding: json",
        "read_buffer_size: 1024",
        "write_buffer_size: 1024",
        "auth: {authenticator: oauth2client}",
        "compression_params: {level: 9}",
        "max_idle_conns: 1",
        "max_idle_conns_per_host: 1",
        "max_conns_per_host: 1",
        "idle_conn_timeout: 1m",
        "disable_keep_alives: true",
        "http2_read_idle_timeout: 10s",
        "http2_ping_timeout: 10s",
        "cookies: {enabled: true}",
        "force_attempt_http2: true",
        "middlewares: [{id: x}]",
        "profiles_endpoint: http://a/p",
        "tls: {reload_interval: 1h}",
    ];
    for key in taken {
        let trial = lanner_engine::config::plan_body(factory, &format!("endpoint: http://a:1\n{key}\n"));
        assert!(trial.planned.is_some(), "{key}: {}", trial.rendered());
    }
    for key in answered {
        let trial = lanner_engine::config::plan_body(factory, &format!("endpoint: http://a:1\n{key}\n"));
        let text = trial.rendered();
        assert!(trial.planned.is_none() && text.contains("not offered") && text.contains("help"), "{key}: {text}");
    }
}
