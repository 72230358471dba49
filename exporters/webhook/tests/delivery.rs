//! Statuses, repetition, halving, secrets, signatures, where connections go.

use super::{answer, json_of, numbered, to};
use crate::{
    http::RetryStatuses,
    testing::{Authority, Sink, Stuck, alert_request, broken_request, build_cx, counted, endless_body},
};
use http::Response;
use lanner_engine::{event::OtlpRequest, prelude::*};
use ring::hmac;
use serde_json::json;
use std::{
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

fn outputs(sink: &Sink) -> Vec<String> {
    sink.seen().iter().map(|request| json_of(request.body())["output"].as_str().unwrap().to_owned()).collect()
}

/// Scenario: every status from 200 to 599, with Retry-After.
/// Guarantee: 2xx is delivered; the listed ones are tried again with the delay; the rest is rejected.
#[tokio::test]
async fn every_status_falls_into_its_class() {
    let sink = Sink::start(|request| {
        let mut answer = answer(request.headers()["x-status"].to_str().unwrap().parse().unwrap(), "why");
        answer.headers_mut().insert("retry-after", 7.into());
        answer
    })
    .await;
    for status in 200..600 {
        let exporter = super::exporter(to(&sink, json!({"headers": {"x-status": status.to_string()}}))).await;
        let outcome = exporter.export(&alert_request(&[numbered(1)])).await;
        match &outcome {
            Outcome::Delivered => assert!((200..300).contains(&status), "{status}"),
            Outcome::Retry { after, .. } => {
                assert!(RetryStatuses::default().0.contains(&status), "{status}");
                assert_eq!(*after, Some(Duration::from_secs(7)));
            }
            Outcome::Reject { reason } => {
                assert!(status >= 300 && !RetryStatuses::default().0.contains(&status), "{status}");
                assert!(reason.starts_with(&format!("HTTP {status}")), "{reason}");
            }
            Outcome::Partial { .. } | Outcome::Refuse { .. } => panic!("{status}: {outcome:?}"),
        }
    }
}

/// Scenario: three alerts; the second is refused for good, the third at first because of load.
/// Guarantee: the repetition sends the third alone; the outcome names the one that was rejected.
#[tokio::test]
async fn a_repetition_sends_only_what_is_open() {
    let busy = Arc::new(AtomicUsize::new(1));
    let calls = Arc::clone(&busy);
    let sink = Sink::start(move |request| match json_of(request.body())["output"].as_str().unwrap() {
        "shell number 2" => answer(422, "no shells"),
        "shell number 3" if calls.swap(0, Ordering::Relaxed) == 1 => answer(429, "busy"),
        _ => answer(200, ""),
    })
    .await;
    let exporter = super::exporter(to(&sink, json!({}))).await;
    let request = alert_request(&[numbered(1), numbered(2), numbered(3)]);
    assert!(matches!(exporter.export(&request).await, Outcome::Retry { .. }));
    let reason = "HTTP 422 Unprocessable Entity: no shells".to_owned();
    assert_eq!(exporter.export(&request).await, Outcome::Partial { rejected: 1, reason });
    assert_eq!(outputs(&sink), ["shell number 1", "shell number 2", "shell number 3", "shell number 3"]);
}

/// Scenario: a sink that takes at most three events of a body, and never the sixth event.
/// Guarantee: 413 halves; all but that one arrive exactly once.
#[tokio::test]
async fn a_body_that_is_too_large_is_halved() {
    let sink = Sink::start(|request| {
        let events = json_of(request.body());
        let events = events.as_array().unwrap();
        let bad = events.iter().any(|event| event["output"] == "shell number 5");
        answer(if events.len() > 3 || bad { 413 } else { 200 }, "too large")
    })
    .await;
    let exporter = super::exporter(to(&sink, json!({"batch": "array"}))).await;
    let alerts: Vec<_> = (0..10).map(numbered).collect();
    let outcome = exporter.export(&alert_request(&alerts)).await;
    assert!(matches!(outcome, Outcome::Partial { rejected: 1, .. }), "{outcome:?}");
    let mut taken: Vec<String> = Vec::new();
    for request in sink.seen() {
        let events = json_of(request.body()).as_array().unwrap().clone();
        let texts: Vec<String> = events.iter().map(|event| event["output"].as_str().unwrap().to_owned()).collect();
        if texts.len() <= 3 && !texts.contains(&"shell number 5".to_owned()) {
            taken.extend(texts);
        }
    }
    let expected: Vec<String> = (0..10).filter(|n| *n != 5).map(|n| format!("shell number {n}")).collect();
    assert_eq!(taken, expected);
}

/// Scenario: a server that echoes the request's secrets, also in JSON, and sends them in a redirect (S9).
/// Guarantee: no reason has one of them; nothing else is asked.
#[tokio::test]
async fn echoed_secrets_are_not_repeated() {
    let elsewhere = Sink::start(|_| answer(200, "")).await;
    let target = elsewhere.address;
    for status in [200, 302, 400, 429] {
        let sink = Sink::start(move |request| {
            let token = request.headers()["authorization"].to_str().unwrap().to_owned();
            let extra = request.headers()["x-extra"].to_str().unwrap().to_owned();
            let echo = format!("{} {token} {extra} {}", request.uri(), request.uri().to_string().replace('/', "\\/"));
            let mut answer = answer(status, &echo);
            let location = format!("http://{target}{}", request.uri());
            answer.headers_mut().insert("location", location.parse().unwrap());
            answer
        })
        .await;
        let config = json!({
            "url": format!("http://{}/T0/canary-path-1234?key=canary-query-5678", sink.address),
            "token": "canary-token/91", "headers": {"x-extra": "canary-extra"},
            "sign": {"secret": "canary-secret-of-32-bytes-length"},
        });
        let config: super::Config = serde_json::from_value(config).unwrap();
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        let (plan, findings) = lanner_engine::testing::planning(|cx| super::Webhook::plan(config, cx));
        assert!(findings.is_empty());
        let exporter = Box::new(plan.unwrap()).build(&build_cx()).await.unwrap();
        let outcome = exporter.export(&alert_request(&[numbered(1)])).await;
        assert!(!format!("{outcome:?} {shown}").contains("canary"), "{outcome:?} {shown}");
    }
    let closed = Stuck::start().await;
    let config = json!({"url": format!("http://{}/canary-path-1234", closed.address)});
    let outcome = super::exporter(config).await.export(&alert_request(&[numbered(1)])).await;
    assert!(matches!(outcome, Outcome::Retry { .. }) && !format!("{outcome:?}").contains("canary"), "{outcome:?}");
    assert!(elsewhere.seen().is_empty());
}

/// Scenario: a signed body, compressed, with and without timestamp.
/// Guarantee: a receiver with the secret finds the signature right for the bytes that it got.
#[tokio::test]
async fn signatures_can_be_checked() {
    let secret = "0123456789abcdef0123456789abcdef";
    for (timestamp, algorithm, prefix) in
        [("x-time", "sha256", "sha256="), ("", "sha256", "sha256="), ("x-time", "sha512", "sha512=")]
    {
        let sink = Sink::start(|_| answer(200, "")).await;
        let config = json!({
            "compression": "gzip",
            "sign": {"secret": secret, "header": "x-sum", "timestamp_header": timestamp, "algorithm": algorithm},
        });
        let exporter = super::exporter(to(&sink, config)).await;
        assert_eq!(exporter.export(&alert_request(&[numbered(1)])).await, Outcome::Delivered);
        let seen = &sink.seen()[0];
        let mut signed = Vec::new();
        if !timestamp.is_empty() {
            signed.extend_from_slice(seen.headers()["x-time"].as_bytes());
            signed.push(b'.');
        }
        signed.extend_from_slice(seen.body());
        let sum = seen.headers()["x-sum"].to_str().unwrap().strip_prefix(prefix).unwrap();
        let sum: Vec<u8> =
            (0..sum.len() / 2).map(|i| u8::from_str_radix(&sum[2 * i..2 * i + 2], 16).unwrap()).collect();
        let kind = if algorithm == "sha256" { hmac::HMAC_SHA256 } else { hmac::HMAC_SHA512 };
        hmac::verify(&hmac::Key::new(kind, secret.as_bytes()), &signed, &sum).unwrap();
        let mut plain = String::new();
        flate2::read::GzDecoder::new(&seen.body()[..]).read_to_string(&mut plain).unwrap();
        assert_eq!((&seen.headers()["content-encoding"], plain.starts_with('{')), (&"gzip".parse().unwrap(), true));
    }
}

/// Scenario: a name whose only address is this machine, with each policy.
/// Guarantee: `public` connects to nobody and says what to do; `network` delivers.
#[tokio::test]
async fn names_are_judged_by_their_addresses() {
    let sink = Sink::start(|_| answer(200, "")).await;
    let config =
        |policy: &str| json!({"url": format!("http://localhost:{}/", sink.address.port()), "allow_addresses": policy});
    let outcome = super::exporter(config("public")).await.export(&alert_request(&[numbered(1)])).await;
    let Outcome::Retry { reason, .. } = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("allow_addresses: network"), "{reason}");
    assert!(sink.seen().is_empty());
    let outcome = super::exporter(config("network")).await.export(&alert_request(&[numbered(1)])).await;
    assert_eq!(outcome, Outcome::Delivered);
}

/// Scenario: an endless reply, with success and with an error (S4); bytes that are no OTLP.
/// Guarantee: what was taken is delivered; memory is bounded; bytes that cannot be read are rejected.
#[tokio::test]
async fn s4_odd_replies_and_odd_requests() {
    for status in [200, 400] {
        let sink = Sink::start(move |_| {
            let mut answer = Response::new(endless_body());
            *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
            answer
        })
        .await;
        let outcome = super::exporter(to(&sink, json!({}))).await.export(&alert_request(&[numbered(1)])).await;
        match outcome {
            Outcome::Delivered => assert_eq!(status, 200),
            Outcome::Reject { reason } => assert!(status == 400 && reason.len() < 1200, "{}", reason.len()),
            other => panic!("{other:?}"),
        }
    }
    let sink = Sink::start(|_| answer(200, "")).await;
    let outcome = super::exporter(to(&sink, json!({}))).await.export(&broken_request()).await;
    assert!(matches!(outcome, Outcome::Reject { .. }) && sink.seen().is_empty(), "{outcome:?}");
}

/// Scenario: a server that wants a client certificate; with and without one.
/// Guarantee: with the right ones it delivers over TLS, without it is a failure that is tried again.
#[tokio::test]
async fn mutual_tls() {
    let authority = Authority::new();
    let sink = Sink::start_at("127.0.0.1:0", Some(authority.server("localhost", true)), |_| answer(200, "")).await;
    let (cert, key) = authority.identity("lanner");
    let url = format!("https://localhost:{}/", sink.address.port());
    let whole = json!({"url": url, "tls": {"ca_pem": authority.pem, "cert_pem": cert, "key_pem": key}});
    let half = json!({"url": url, "tls": {"ca_pem": authority.pem}});
    let request = alert_request(&[numbered(1)]);
    assert_eq!(super::exporter(whole).await.export(&request).await, Outcome::Delivered);
    let outcome = super::exporter(half).await.export(&alert_request(&[numbered(1)])).await;
    assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
}

/// A template that cannot make the body of the event whose `proc.pid` is 43.
const FAILS_FOR_43: &str = "{\"n\": {{ 1000000 if field('proc.pid') == 43 else 1 }}, \"l\": [{% if field('proc.pid') == 43 %}{% for i \
                            in range(100000) %}{{ i }},{% endfor %}{% endif %}0]}";

/// Scenario: two events, of which the template cannot make the second.
/// Guarantee: that is known when the first arrives: each body is written while the one before is on its way.
#[tokio::test]
async fn the_next_body_is_written_meanwhile() {
    let cx = Arc::new(build_cx());
    let (of_sink, known) = (Arc::clone(&cx), Arc::new(AtomicUsize::new(0)));
    let known_then = Arc::clone(&known);
    let sink = Sink::start(move |_| {
        known_then.store(counted(&of_sink, "lanner_exporter_unwritable_records") as usize, Ordering::SeqCst);
        answer(200, "")
    })
    .await;
    let exporter = super::built(to(&sink, json!({"body": FAILS_FOR_43})), &cx).await;
    let outcome = exporter.export(&alert_request(&[numbered(0), numbered(1)])).await;
    assert!(matches!(outcome, Outcome::Partial { rejected: 1, .. }), "{outcome:?}");
    assert_eq!((sink.seen().len(), known.load(Ordering::SeqCst)), (1, 1));
}

/// Scenario: an event whose body the template cannot make, among two that it can.
/// Guarantee: it is rejected and counted, the others arrive.
#[tokio::test]
async fn what_cannot_be_written_takes_nobody_along() {
    let sink = Sink::start(|_| answer(200, "")).await;
    let cx = build_cx();
    let exporter = super::built(to(&sink, json!({"body": FAILS_FOR_43})), &cx).await;
    let outcome = exporter.export(&alert_request(&[numbered(0), numbered(1), numbered(2)])).await;
    assert!(matches!(outcome, Outcome::Partial { rejected: 1, .. }), "{outcome:?}");
    assert_eq!((sink.seen().len(), counted(&cx, "lanner_exporter_unwritable_records")), (2, 1));
}

/// Scenario: three alerts, of which the second is no readable OTLP inside.
/// Guarantee: the first arrives and is settled; the request is refused with the others open, so that the engine takes them apart.
#[tokio::test]
async fn what_cannot_be_read_is_left_to_the_engine() {
    let sink = Sink::start(|_| answer(200, "")).await;
    let exporter = super::exporter(to(&sink, json!({}))).await;
    let whole = alert_request(&[numbered(1), numbered(2), numbered(3)]);
    let mut bytes = whole.bytes().to_vec();
    let place = bytes.windows(14).position(|text| text == b"shell number 2").unwrap();
    bytes[place] = 0xff;
    let request = Request::new(OtlpRequest { signal: Signal::Logs, bytes: bytes.into(), items: 3 });
    let Outcome::Reject { reason } = exporter.export(&request).await else { unreachable!("it cannot be read") };
    assert!(reason.contains("not UTF-8"), "{reason}");
    assert_eq!((request.progress().open(), outputs(&sink)), (vec![1, 2], vec!["shell number 1".to_owned()]));
}
