//! A real receiver on a real port, a raw socket for what a polite client would not send, curl where it is installed.

mod door;
mod hostile;
mod overload;

use super::*;
use door::{ALERT, Door, post};

/// Scenario: F1: two alerts over one connection, with the headers of Falco's `compress_uploads` and on a path of its own.
/// Guarantee: 200 with an empty body for each, the connection stays, both records are alerts in order.
#[tokio::test]
async fn takes_what_falco_sends() {
    let door = Door::open(Config::default()).await;
    let mut wire = door.connect().await;
    for path in ["/", "/falco/events?token=x"] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: falcosecurity/falco\r\nAccept: */*\r\nTE: gzip\r\n\
             Connection: TE\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            ALERT.len()
        );
        wire.send(&[head.as_bytes(), ALERT.as_bytes()].concat()).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
        assert!(!answer.head.contains("connection: close"), "{}", answer.head);
    }
    let records = door.capture.records();
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(lanner_engine::semantics::is_alert));
    assert_eq!(records[0].attrs.get_str(&keys::RULE), Some("Terminal shell in container"));
    assert_eq!(records[0].attrs, records[1].attrs, "the same alert has the same id");
    assert!(door.capture.failed().is_empty());
    assert_eq!(door.capture.admitted(), 0);
}

/// Scenario: F1: a body of 2 MiB for which the client waits with `Expect: 100-continue`.
/// Guarantee: the client is told to go on, and the alert arrives.
#[tokio::test]
async fn expect_100_continue_is_answered() {
    let door = Door::open(Config::default()).await;
    let mut wire = door.connect().await;
    let body = ALERT.replace("A shell", &"A shell ".repeat(260_000));
    let head = format!("POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n", body.len());
    wire.send(head.as_bytes()).await;
    assert_eq!(wire.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    wire.send(body.as_bytes()).await;
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(door.capture.records().len(), 1);
}

/// Scenario: a chunked body, lines of alerts, an array of alerts, and text/plain.
/// Guarantee: every alert becomes a record.
#[tokio::test]
async fn takes_several_alerts_at_once() {
    let door = Door::open(Config::default()).await;
    let mut wire = door.connect().await;
    let chunk = |part: &str| format!("{:x}\r\n{part}\r\n", part.len());
    let (start, end) = ALERT.split_at(40);
    let chunked = format!(
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-type: text/plain\r\n\r\n{}{}0\r\n\r\n",
        chunk(start),
        chunk(end)
    );
    wire.send(chunked.as_bytes()).await;
    assert_eq!(wire.answer().await.status, 200);
    wire.send(&post(format!("{ALERT}\n{ALERT}\n"))).await;
    assert_eq!(wire.answer().await.status, 200);
    wire.send(&post(format!("[{ALERT},{ALERT},{ALERT}]"))).await;
    assert_eq!(wire.answer().await.status, 200);
    assert_eq!(door.capture.records().len(), 6);
    assert_eq!(door.capture.batches().len(), 3, "one batch a request");
}

/// Scenario: falcosidekick's other paths, and wrong methods.
/// Guarantee: its answers, byte for byte.
#[tokio::test]
async fn answers_as_falcosidekick_does() {
    let door = Door::open(Config::default()).await;
    let mut wire = door.connect().await;
    for (request, status, content_type, body) in [
        ("GET /ping", 200, "text/plain", "pong\n"),
        ("POST /ping", 200, "text/plain", "pong\n"),
        ("GET /healthz", 200, "application/json", "{\"status\": \"ok\"}"),
        ("GET /", 400, "text/plain", "Please send with post http method\n"),
        ("PUT /any/path", 400, "text/plain", "Please send with post http method\n"),
        ("GET /test", 400, "text/plain", "Please send with post http method\n"),
    ] {
        wire.send(format!("{request} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{request}");
        assert!(answer.head.contains(&format!("content-type: {content_type}")), "{request}: {}", answer.head);
    }
    assert!(door.capture.batches().is_empty());
}

/// Scenario: POST to `/test`.
/// Guarantee: falcosidekick's test rule comes out as an alert, marked as synthetic.
#[tokio::test]
async fn the_test_path_injects_an_alert() {
    let door = Door::open(Config::default()).await;
    let mut wire = door.connect().await;
    wire.send(b"POST /test HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(wire.answer().await.status, 200);
    let records = door.capture.records();
    assert_eq!(records[0].attrs.get_str(&keys::RULE), Some("Test rule"));
    assert_eq!(records[0].attrs.get(&keys::SYNTHETIC), Some(&Value::Bool(true)));
    assert!(lanner_engine::semantics::is_alert(&records[0]));
}

/// Scenario: configs with mistakes.
/// Guarantee: errors and warnings that name the place and the remedy; the defaults have none.
#[test]
fn mistakes_are_found_before_start() {
    let factory = lanner_engine::component::Factory::receiver::<FalcoHttp>();
    for (yaml, text, fatal) in [
        ("endpoint: 0.0.0.0:2801", "set `tls` with `client_ca_file`", false),
        ("max_connections: 0", "max_connections", true),
        ("hold: soon", "not a duration", true),
        ("tls: {cert_file: a.pem}", "set `key_file`", true),
        ("tls: {cert_file: a, cert_pem: b, key_file: c}", "both set", true),
        ("overload: drop", "reject", true),
        ("semantics: {mappnig: v1}", "mapping", true),
    ] {
        let trial = lanner_engine::config::plan_body(&factory, yaml);
        assert_eq!(trial.planned.is_none(), fatal, "{yaml}: {}", trial.rendered());
        assert!(trial.rendered().contains(text), "{yaml}: {}", trial.rendered());
    }
    let trial = lanner_engine::config::plan_body(&factory, "{}");
    assert!(trial.findings.is_empty(), "{}", trial.rendered());
}
