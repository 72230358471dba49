use super::{Config, OtlpGrpc, config::Plan, target};
use crate::{
    otlp_reply::{Any, ExportResponse, LONGEST_DELAY, PartialSuccess, RpcStatus},
    testing::{
        Answer, Authority, Scratch, Sink, Stuck, body, build_cx, counted, cut_body, endless_body, logs, metrics, traces,
    },
};
use base64::Engine;
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use lanner_engine::{config::Level, prelude::*, testing::planning};
use lanner_proto::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
    logs_service_server::{LogsService, LogsServiceServer},
};
use prost::Message;
use serde_json::{Value as Json, json};
use std::{io::Read, time::Duration};
use tonic::Code;
use tower::ServiceExt;

fn plan(config: Json) -> Option<Plan> {
    let config: Config = serde_json::from_value(config).unwrap();
    planning(|cx| OtlpGrpc::plan(config, cx)).0
}

async fn exporter(config: Json) -> Box<dyn Exporter> {
    Box::new(plan(config).unwrap()).build(&build_cx()).await.unwrap()
}

async fn plaintext(sink: &Sink) -> Box<dyn Exporter> {
    exporter(json!({"endpoint": sink.address.to_string(), "tls": {"insecure": true}, "compression": "none"})).await
}

/// A reply with trailers, as after a call that ran.
fn trailers(status: &str, response: &impl Message) -> Answer {
    let message = response.encode_to_vec();
    let mut bytes = vec![0];
    bytes.extend((message.len() as u32).to_be_bytes());
    bytes.extend(message);
    let mut map = HeaderMap::new();
    map.insert("grpc-status", status.parse().unwrap());
    Response::new(body(bytes).with_trailers(async { Some(Ok(map)) }).boxed_unsync())
}

fn ok() -> Answer {
    trailers("0", &ExportResponse::default())
}

/// A reply that is only a head, as most errors are.
fn refused(code: i32, message: &str, details: Option<RpcStatus>) -> Answer {
    let mut answer = Response::new(body(""));
    answer.headers_mut().insert("grpc-status", code.into());
    answer.headers_mut().insert("grpc-message", message.parse().unwrap());
    if let Some(details) = details {
        let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(details.encode_to_vec());
        answer.headers_mut().insert("grpc-status-details-bin", text.parse().unwrap());
    }
    answer
}

/// Details with a RetryInfo; the message is written by hand: field 1 is the delay, its field 1 the seconds.
fn retry_info(seconds: Option<u8>) -> RpcStatus {
    let value = seconds.map_or_else(Vec::new, |seconds| vec![0x0a, 2, 0x08, seconds]);
    let any = Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".into(), value };
    let other = Any { type_url: "type.googleapis.com/google.rpc.DebugInfo".into(), value: vec![1, 2, 3] };
    RpcStatus { details: vec![other, any], ..Default::default() }
}

/// Scenario: the sink answers each gRPC status, without and with RetryInfo, in the head or in trailers.
/// Guarantee: exactly the Collector's codes are tried again, RESOURCE_EXHAUSTED only with RetryInfo, whose delay
/// is handed on.
#[tokio::test]
async fn every_status_falls_into_its_class() {
    let sink = Sink::start(|request| {
        let code: i32 = request.headers()["x-code"].to_str().unwrap().parse().unwrap();
        match request.headers()["x-info"].to_str().unwrap() {
            "none" => refused(code, "no%20way", None),
            "delay" => refused(code, "no%20way", Some(retry_info(Some(7)))),
            "bare" => refused(code, "no%20way", Some(retry_info(None))),
            _ => trailers(&code.to_string(), &ExportResponse::default()),
        }
    })
    .await;
    let retryable =
        [Code::Cancelled, Code::DeadlineExceeded, Code::Aborted, Code::OutOfRange, Code::Unavailable, Code::DataLoss];
    for code in 1..=17 {
        for info in ["none", "delay", "bare", "trailers"] {
            let exporter = exporter(json!({
                "endpoint": sink.address.to_string(), "tls": {"insecure": true},
                "headers": {"x-code": code.to_string(), "x-info": info},
            }))
            .await;
            let outcome = exporter.export(&logs(1)).await;
            let code = Code::from_i32(code);
            let asked = matches!(info, "delay" | "bare");
            let again = retryable.contains(&code) || code == Code::ResourceExhausted && asked;
            let delay = (info == "delay").then_some(Duration::from_secs(7));
            match outcome {
                Outcome::Retry { after, reason } => {
                    assert!(again, "{code:?} {info}");
                    assert_eq!(after, delay, "{code:?} {info}");
                    assert!(info == "trailers" || reason == format!("{code:?}: no way"), "{reason}");
                }
                Outcome::Refuse { .. } => {
                    use Code::{NotFound, PermissionDenied, Unauthenticated, Unimplemented};
                    let of_us = [NotFound, PermissionDenied, Unauthenticated, Unimplemented];
                    assert!(of_us.contains(&code), "{code:?} {info}");
                }
                Outcome::Reject { .. } => {
                    assert!(!again && code != Code::Unauthenticated, "{code:?} {info}");
                }
                other => panic!("{code:?} {info}: {other:?}"),
            }
        }
    }
}

/// Scenario: a RetryInfo of 4,000 years; details that are no base64, no protobuf; a status that is no number.
/// Guarantee: the delay is bounded, nothing panics, the class stays right.
#[tokio::test]
async fn hostile_details_are_survived() {
    let long = Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
        value: vec![0x0a, 6, 0x08, 0xff, 0xff, 0xff, 0xff, 0x7f],
    };
    assert_eq!(
        RpcStatus { details: vec![long], ..Default::default() }.retry_info().unwrap().delay,
        Some(LONGEST_DELAY)
    );
    let sink = Sink::start(|request| {
        let mut answer = refused(14, "%zz%1b[31m%0a%F0%9F%92%A9", None);
        let text = request.headers()["x-details"].clone();
        answer.headers_mut().insert("grpc-status-details-bin", text);
        answer
    })
    .await;
    for details in ["!!!", "////", "AAAA", "====", ""] {
        let exporter = exporter(json!({
            "endpoint": sink.address.to_string(), "tls": {"insecure": true}, "headers": {"x-details": details},
        }))
        .await;
        let Outcome::Retry { after: None, reason } = exporter.export(&logs(1)).await else { panic!("{details}") };
        assert_eq!(reason, r"Unavailable: %zz\u{1b}[31m\u{a}💩");
    }
    let sink = Sink::start(|_| {
        let mut answer = refused(0, "", None);
        answer.headers_mut().insert("grpc-status", "fine".parse().unwrap());
        answer
    })
    .await;
    assert!(matches!(plaintext(&sink).await.export(&logs(1)).await, Outcome::Reject { .. }));
}

/// Scenario: the sink takes a request but for some records, more than there are, none with a warning, all.
/// Guarantee: partial success is counted once and bounded, a warning is a delivery.
#[tokio::test]
async fn partial_success() {
    let cases = [
        (2, "bad timestamp", Outcome::Partial { rejected: 2, reason: "bad timestamp".into() }),
        (900, "all", Outcome::Partial { rejected: 3, reason: "all".into() }),
        (-1, "", Outcome::Delivered),
        (0, "old client", Outcome::Delivered),
        (0, "", Outcome::Delivered),
    ];
    for (rejected, message, expected) in cases {
        let sink = Sink::start(move |_| {
            let partial = PartialSuccess { rejected, error_message: message.into() };
            trailers("0", &ExportResponse { partial_success: Some(partial) })
        })
        .await;
        assert_eq!(plaintext(&sink).await.export(&logs(3)).await, expected);
    }
}

/// Scenario: the sink says OK with a message that cannot be read.
/// Guarantee: the request is delivered (sending it again would double it), and the oddity is counted.
#[tokio::test]
async fn ok_with_an_unreadable_message_is_delivered_and_counted() {
    for frame in [&[0, 0, 0, 0, 2, 0xff, 0xff][..], &[1, 0, 0, 0, 0], &[0, 0, 0, 0, 9, 1]] {
        let sink = Sink::start(move |_| {
            let mut map = HeaderMap::new();
            map.insert("grpc-status", 0.into());
            Response::new(body(Bytes::from_static(frame)).with_trailers(async { Some(Ok(map)) }).boxed_unsync())
        })
        .await;
        let cx = build_cx();
        let plan = plan(json!({"endpoint": sink.address.to_string(), "tls": {"insecure": true}})).unwrap();
        let exporter = Box::new(plan).build(&cx).await.unwrap();
        assert_eq!(exporter.export(&logs(1)).await, Outcome::Delivered);
        assert_eq!(counted(&cx, "lanner_exporter_unreadable_replies"), 1);
    }
}

/// Scenario: a proxy answers with plain HTTP, the reply is cut, the reply never ends, the server hangs up (S4, D10).
/// Guarantee: only what may pass is tried again; an endless reply is given up.
#[tokio::test]
async fn s4_replies_that_are_no_grpc() {
    for (status, again) in [(200, true), (503, true), (429, true), (401, false), (404, false), (500, false)] {
        let sink = Sink::start(move |_| {
            let mut answer = Response::new(body("<html>login</html>"));
            *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
            answer
        })
        .await;
        let outcome = plaintext(&sink).await.export(&logs(1)).await;
        assert_eq!(matches!(outcome, Outcome::Retry { .. }), again, "{status}: {outcome:?}");
    }
    let cut = Sink::start(|_| Response::new(cut_body(b"\0\0\0"))).await;
    assert!(matches!(plaintext(&cut).await.export(&logs(1)).await, Outcome::Retry { .. }));
    let endless = Sink::start(|_| Response::new(endless_body())).await;
    assert!(matches!(plaintext(&endless).await.export(&logs(1)).await, Outcome::Reject { .. }));
    let stuck = Stuck::start().await;
    let exporter = exporter(json!({"endpoint": stuck.address.to_string(), "tls": {"insecure": true}})).await;
    assert!(matches!(exporter.export(&logs(1)).await, Outcome::Retry { .. }));
}

/// Scenario: nothing listens; then a server starts on that port, dies, and another takes its place.
/// Guarantee: the exporter is built while the sink is down, and connects again by itself.
#[tokio::test]
async fn connects_lazily_and_again() {
    let sink = Sink::start(|_| ok()).await;
    let address = sink.address.to_string();
    sink.stop().await;
    let exporter = exporter(json!({"endpoint": address, "tls": {"insecure": true}})).await;
    assert!(matches!(exporter.export(&logs(1)).await, Outcome::Retry { .. }));
    for _ in 0..2 {
        let sink = Sink::start_at(&address, None, |_| ok()).await;
        // A connection of the server before may be noticed as broken only now.
        let mut outcome = exporter.export(&logs(1)).await;
        for _ in 0..50 {
            if outcome == Outcome::Delivered {
                break;
            }
            tokio::task::yield_now().await;
            outcome = exporter.export(&logs(1)).await;
        }
        assert_eq!(outcome, Outcome::Delivered);
        assert_eq!(sink.seen().len(), 1);
        sink.stop().await;
    }
}

/// Scenario: each signal, in each compression, with headers, authority and user agent.
/// Guarantee: the sink reads exactly the request's bytes, at the right method, with what was configured.
#[tokio::test]
async fn what_arrives_is_what_was_given() {
    let sink = Sink::start(|_| ok()).await;
    for compression in ["gzip", "zstd", "snappy", "none"] {
        for request in [logs(2000), metrics(), traces()] {
            let exporter = exporter(json!({
                "endpoint": format!("http://{}", sink.address), "tls": {"insecure": true},
                "compression": compression, "headers": {"Authorization": "Bearer canary"}, "authority": "otel.example",
            }))
            .await;
            assert_eq!(exporter.export(&request).await, Outcome::Delivered);
            let seen = sink.seen().pop().unwrap();
            let service = ["logs.v1.LogsService", "metrics.v1.MetricsService", "trace.v1.TraceService"];
            let service = service[request.signal() as usize];
            assert_eq!(seen.uri().path(), format!("/opentelemetry.proto.collector.{service}/Export"));
            assert_eq!(seen.uri().authority().unwrap(), "otel.example");
            assert_eq!(seen.headers()["authorization"], "Bearer canary");
            assert_eq!(seen.headers()["content-type"], "application/grpc");
            assert_eq!(seen.headers()["te"], "trailers");
            assert!(seen.headers()["user-agent"].to_str().unwrap().starts_with("Lanner/"));
            let (head, message) = seen.body().split_at(5);
            assert_eq!(u32::from_be_bytes(head[1..].try_into().unwrap()) as usize, message.len());
            let mut plain = Vec::new();
            match compression {
                "gzip" => drop(flate2::read::GzDecoder::new(message).read_to_end(&mut plain).unwrap()),
                "zstd" => plain = zstd::decode_all(message).unwrap(),
                // In gRPC the framed form.
                "snappy" => drop(snap::read::FrameDecoder::new(message).read_to_end(&mut plain).unwrap()),
                _ => plain = message.to_vec(),
            }
            assert_eq!(head[0], u8::from(compression != "none"));
            let name = seen.headers().get("grpc-encoding").map(|name| name.to_str().unwrap());
            assert_eq!(name.unwrap_or("none"), compression);
            assert_eq!(plain, request.bytes()[..]);
        }
    }
}

struct Logs;

#[tonic::async_trait]
impl LogsService for Logs {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, tonic::Status> {
        let records =
            request.into_inner().resource_logs.into_iter().flat_map(|r| r.scope_logs).flat_map(|s| s.log_records);
        match records.count() {
            3 => Ok(tonic::Response::new(ExportLogsServiceResponse::default())),
            count => Err(tonic::Status::invalid_argument(format!("{count} records, not 3"))),
        }
    }
}

/// Scenario: the server is the OpenTelemetry project's own service, run by tonic.
/// Guarantee: it understands us and we understand it.
#[tokio::test]
async fn speaks_with_tonic() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| {
                LogsServiceServer::new(Logs).oneshot(request.map(tonic::body::Body::new))
            });
            hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new())
                .serve_connection(hyper_util::rt::TokioIo::new(stream), service)
                .await
                .unwrap();
        }
    });
    let exporter =
        exporter(json!({"endpoint": address.to_string(), "tls": {"insecure": true}, "compression": "none"})).await;
    assert_eq!(exporter.export(&logs(3)).await, Outcome::Delivered);
    let reason = "InvalidArgument: 2 records, not 3".into();
    assert_eq!(exporter.export(&logs(2)).await, Outcome::Reject { reason });
    server.abort();
}

/// Scenario: TLS with a private CA: right and wrong name, unknown CA, verification off, mutual TLS with and without a
/// certificate.
/// Guarantee: requests go through exactly when the configured trust allows it; a failed handshake is tried again.
#[tokio::test]
async fn tls_and_mutual_tls() {
    let (ca, stranger) = (Authority::new(), Authority::new());
    let (cert, key) = ca.identity("client");
    let cases = [
        ("localhost", false, json!({"ca_pem": ca.pem}), true),
        ("localhost", false, json!({"ca_pem": ca.pem, "min_version": "1.3"}), true),
        ("localhost", false, json!({"ca_pem": ca.pem, "max_version": "1.2"}), true),
        ("elsewhere", false, json!({"ca_pem": ca.pem}), false),
        ("elsewhere", false, json!({"ca_pem": ca.pem, "server_name_override": "elsewhere"}), true),
        ("localhost", false, json!({"ca_pem": stranger.pem}), false),
        ("localhost", false, json!({}), false),
        ("elsewhere", false, json!({"insecure_skip_verify": true}), true),
        ("localhost", true, json!({"ca_pem": ca.pem, "cert_pem": cert, "key_pem": key}), true),
        ("localhost", true, json!({"ca_pem": ca.pem}), false),
    ];
    for (name, mutual, tls, through) in cases {
        let sink = Sink::start_at("127.0.0.1:0", Some(ca.server(name, mutual)), |_| ok()).await;
        let endpoint = format!("localhost:{}", sink.address.port());
        let outcome = exporter(json!({"endpoint": endpoint, "tls": tls})).await.export(&logs(1)).await;
        match outcome {
            Outcome::Delivered => assert!(through, "{name} {tls}"),
            Outcome::Retry { reason, .. } => assert!(!through, "{name} {tls}: {reason}"),
            other => panic!("{other:?}"),
        }
    }
}

/// Scenario: TLS is not mentioned; the server speaks plaintext.
/// Guarantee: nothing is sent in clear.
#[tokio::test]
async fn tls_is_the_default() {
    let sink = Sink::start(|_| ok()).await;
    let exporter = exporter(json!({"endpoint": format!("http://{}", sink.address)})).await;
    assert!(matches!(exporter.export(&logs(1)).await, Outcome::Retry { .. }));
    assert!(sink.seen().is_empty());
}

/// Scenario: endpoints as people write them.
/// Guarantee: host and port are understood or refused at plan.
#[test]
fn endpoints() {
    for good in ["a:4317", "http://a:4317", "https://a:4317/", "[::1]:4317", "dns:///a:4317", "unix:///run/otel.sock"] {
        assert!(plan(json!({"endpoint": good})).is_some(), "{good}");
    }
    for bad in ["", "a", "http://a", "a:0", "a:x", "a:1/v1", "ftp://a:1", "u:p@a:1", ":4317", "unix://", "a:99999"] {
        assert!(target::Endpoint::parse(bad).is_err(), "{bad}");
        assert!(plan(json!({"endpoint": bad})).is_none(), "{bad}");
    }
}

/// Scenario: configurations that cannot work.
/// Guarantee: none of them gets through the plan.
#[test]
fn impossible_configs_are_found() {
    for (key, value) in [
        ("wait_for_ready", json!(true)),
        ("compression", json!("deflate")),
        ("compression", json!("x-snappy-framed")),
        ("keepalive", json!({"time": "1s"})),
        ("authority", json!("a b")),
        ("user_agent", json!("a\nb")),
        ("headers", json!({"grpc-timeout": "1S"})),
        ("tls", json!({"cert_file": "only"})),
    ] {
        let config: Config = serde_json::from_value(json!({"endpoint": "a:1", key: value})).unwrap();
        let (plan, findings) = planning(|cx| OtlpGrpc::plan(config, cx));
        assert!(plan.is_none(), "{key}");
        assert!(findings.iter().any(|finding| finding.level == Level::Error && finding.path.contains(key)), "{key}");
    }
}

/// Scenario: the scheme says one thing and `tls.insecure` another.
/// Guarantee: a warning tells which of them counts.
#[test]
fn contradicting_schemes_are_told() {
    for (endpoint, insecure, warnings) in
        [("http://a:1", false, 1), ("http://a:1", true, 0), ("https://a:1", true, 1), ("a:1", false, 0)]
    {
        let config = json!({"endpoint": endpoint, "tls": {"insecure": insecure}});
        let config: Config = serde_json::from_value(config).unwrap();
        let (plan, findings) = planning(|cx| OtlpGrpc::plan(config, cx));
        assert_eq!(plan.unwrap().tls.is_plaintext(), insecure && !endpoint.starts_with("https"));
        assert_eq!(findings.len(), warnings, "{endpoint} {insecure}");
        assert!(findings.iter().all(|finding| finding.level == Level::Warning));
    }
}

/// Scenario: a Unix socket.
/// Guarantee: requests go through it.
#[tokio::test]
async fn unix_socket() {
    let scratch = Scratch::new();
    let path = scratch.path().join("sink.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper::service::service_fn(|_| async { Ok::<_, std::convert::Infallible>(ok()) });
        let _ = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new())
            .serve_connection(hyper_util::rt::TokioIo::new(stream), service)
            .await;
    });
    let endpoint = format!("unix://{}", path.display());
    let exporter = exporter(json!({"endpoint": endpoint, "tls": {"insecure": true}})).await;
    assert_eq!(exporter.export(&logs(1)).await, Outcome::Delivered);
    server.abort();
}

/// Scenario: a config with secrets is printed and serialized.
/// Guarantee: none of them shows.
#[test]
fn secrets_do_not_show() {
    let config: Config = serde_json::from_value(json!({
        "endpoint": "a:1", "headers": {"authorization": "canary"}, "tls": {"key_pem": "canary"},
    }))
    .unwrap();
    assert!(!format!("{config:?}{}", serde_json::to_string(&config).unwrap()).contains("canary"));
    assert!(
        !format!("{:?}", plan(json!({"endpoint": "a:1", "headers": {"a": "canary"}})).unwrap().headers)
            .contains("canary")
    );
}

/// Scenario: every key that the Collector's exporter has (v0.159).
/// Guarantee: it is taken, or answered with what to do instead; never only "unknown key".
#[test]
fn every_key_of_the_collector_has_an_answer() {
    let factory = crate::ALL.iter().find(|factory| factory.type_name == "otlp_grpc").unwrap();
    let taken = [
        "compression: snappy",
        "tls: {insecure: true, ca_file: a, cert_file: b, key_file: c, min_version: '1.2', max_version: '1.3'}",
        "tls: {insecure_skip_verify: true, server_name_override: a, include_system_ca_certs_pool: true}",
        "keepalive: {time: 10s, timeout: 20s, permit_without_stream: true}",
        "wait_for_ready: false",
        "headers: {x: y}",
        "user_agent: x",
        "authority: a:1",
    ];
    let answered = [
        "read_buffer_size: 1024",
        "write_buffer_size: 524288",
        "wait_for_ready: true",
        "balancer_name: round_robin",
        "auth: {authenticator: oauth2client}",
        "middlewares: [{id: x}]",
        "tls: {cipher_suites: [x]}",
        "tls: {curve_preferences: [x]}",
        "tls: {reload_interval: 1h}",
        "tls: {tpm: {enabled: true}}",
    ];
    for key in taken {
        let trial = lanner_engine::config::plan_body(factory, &format!("endpoint: a:1\n{key}\n"));
        assert!(trial.planned.is_some(), "{key}: {}", trial.rendered());
    }
    for key in answered {
        let trial = lanner_engine::config::plan_body(factory, &format!("endpoint: a:1\n{key}\n"));
        let text = trial.rendered();
        assert!(trial.planned.is_none() && text.contains("is not offered") && text.contains("help"), "{key}: {text}");
    }
}
