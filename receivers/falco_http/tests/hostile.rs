//! Odd, damaged and hostile input.

use super::*;
use crate::testing::{MutualTls, curl, data};

/// Scenario: S2: every line of the corpus of malformed alerts and of foreign transports.
/// Guarantee: 200 or 400, never a closed connection; every body is kept as at least one record.
#[tokio::test]
async fn the_malformed_corpus_is_kept() {
    let door = Door::open(Config::default()).await;
    let mut wire = door.connect().await;
    for file in ["malformed/falco.jsonl", "malformed/transport.jsonl"] {
        for line in data::lines(file).unwrap_or_default() {
            let case: serde_json::Value = serde_json::from_str(&line).unwrap();
            let (id, raw) = (&case["id"], case["raw"].as_str().unwrap());
            let before = door.capture.batches().len();
            wire.send(&post(raw)).await;
            let status = wire.answer().await.status;
            assert!(status == 200 || status == 400, "{id}: {status}");
            assert_eq!(door.capture.batches().len(), before + 1, "{id}: {raw}");
        }
    }
    assert!(door.capture.failed().is_empty());
}

/// Scenario: bodies that are no alerts: text, a number, truncated JSON, deep nesting, NUL bytes.
/// Guarantee: 400 with falcosidekick's text, the text kept as a plain record, the reason counted.
#[tokio::test]
async fn what_is_no_alert_is_kept_as_a_plain_record() {
    let door = Door::open(Config::default()).await;
    let mut wire = door.connect().await;
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    let bodies = ["Falco is alive", "42", "null", "{\"rule\":\"cut", &deep, "\0\0\0"];
    for body in bodies {
        wire.send(&post(body)).await;
        let answer = wire.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (400, "Please send a valid request body\n"), "{body:.20}");
    }
    let records = door.capture.records();
    assert_eq!(records.len(), bodies.len());
    assert_eq!(records[0].body.as_str(), Some("Falco is alive"));
    let unusable: i64 = ["not_json", "not_object", "not_alert", "too_deep"]
        .iter()
        .map(|reason| door.counted("lanner_receiver_unusable", reason))
        .sum();
    assert_eq!(unusable, bodies.len() as i64);
}

/// Scenario: an alert with a byte that is no UTF-8.
/// Guarantee: taken, with U+FFFD in its place, counted as degraded.
#[tokio::test]
async fn invalid_utf8_is_replaced_and_counted() {
    let door = Door::open(Config::default()).await;
    let mut wire = door.connect().await;
    let body: Vec<u8> = ALERT.bytes().map(|byte| if byte == b'4' { 0xff } else { byte }).collect();
    wire.send(&post(ALERT.replace("node-a", "node-\u{1}").as_bytes())).await;
    assert!(wire.answer().await.status < 500);
    wire.send(&post(body)).await;
    wire.answer().await;
    assert_eq!(door.capture.records().len(), 2);
    assert_eq!(door.counted("lanner_receiver_degraded", "invalid_utf8"), 1);
}

/// Scenario: an empty body, blanks, a body over the limit, an unknown and a lying Content-Encoding.
/// Guarantee: 4xx with the right status, nothing kept, each counted.
#[tokio::test]
async fn what_cannot_be_kept_is_counted() {
    let door = Door::open(Config { max_request_body_size: 1000, ..Config::default() }).await;
    for (headers, body, status, reason) in [
        ("", "".to_owned(), 400, "empty_body"),
        ("", "  \r\n ".to_owned(), 400, "empty_body"),
        ("", "x".repeat(1001), 413, "too_large"),
        ("content-encoding: br\r\n", "x".to_owned(), 415, "unsupported_encoding"),
        ("content-encoding: gzip\r\n", "no gzip".to_owned(), 400, "corrupt_compression"),
    ] {
        let before = door.capture.failed().get(reason).copied().unwrap_or_default();
        let mut wire = door.connect().await;
        let head = format!("POST / HTTP/1.1\r\nhost: x\r\n{headers}content-length: {}\r\n\r\n", body.len());
        wire.send(&[head.as_bytes(), body.as_bytes()].concat()).await;
        assert_eq!(wire.answer().await.status, status, "{reason}");
        assert_eq!(door.capture.failed()[reason], before + 1);
    }
    assert!(door.capture.batches().is_empty());
    assert_eq!(door.capture.admitted(), 0);
}

/// Scenario: F1: the team's alerts, one curl call each way: as lines, gzipped, and with `Expect`.
/// Guarantee: 200, every alert a record.
#[tokio::test]
async fn takes_alerts_from_curl() {
    let Some(alerts) = data::lines("dev/falco_alerts.jsonl") else { return };
    let (count, alerts) = (alerts.len(), alerts.join("\n"));
    let door = Door::open(Config::default()).await;
    let url = format!("http://{}/", door.address);
    let Some(status) = curl(&[&url], alerts.as_bytes()).await else { return };
    assert_eq!(status, " 200 1.1");
    assert_eq!(door.capture.records().len(), count);
    let status = curl(&["-H", "Expect: 100-continue", &url], alerts.as_bytes()).await;
    assert_eq!(status.as_deref(), Some(" 200 1.1"));
    assert_eq!(door.capture.records().len(), 2 * count);
}

/// Scenario: S7: curl over HTTPS with the client certificate that is asked for, and without one.
/// Guarantee: only the first is let in.
#[tokio::test]
async fn mutual_tls_keeps_others_out() {
    let tls = MutualTls::new("falco-http");
    let door = Door::open(Config { tls: Some(tls.server.clone()), ..Config::default() }).await;
    let url = format!("https://localhost:{}/", door.address.port());
    let without = curl(&[tls.stranger(), vec![&url]].concat(), ALERT.as_bytes()).await;
    let with = curl(&[tls.known(), vec![&url]].concat(), ALERT.as_bytes()).await;
    if let (Some(without), Some(with)) = (without, with) {
        assert!(without.starts_with(" 000 "), "{without}");
        assert_eq!(with, " 200 1.1");
        assert_eq!(door.capture.records().len(), 1);
    }
}
