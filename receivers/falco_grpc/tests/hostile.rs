//! Messages and answers that nobody would send on purpose, or that somebody does.

use super::{
    SOON,
    fake_falco::{FakeFalco, alert},
    running::{Running, config},
};
use crate::falco_grpc::Config;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response as Reply};
use http_body::Frame;
use http_body_util::StreamBody;
use lanner_engine::prelude::*;
use lanner_proto::falco::outputs::{OutputField, Response};
use prost::Message;
use tokio::time::{Instant, timeout};
use tonic::body::Body;

/// Scenario: between good alerts: one over the size limit, bytes that are no message, an empty message, a time far outside,
/// an unknown priority and source, text that is not UTF-8, JSON that is broken, JSON that is no alert, a large one.
/// Guarantee: each costs at most itself; what can be kept is kept; each is counted under its reason; the stream goes on.
#[tokio::test]
async fn a_hostile_message_costs_itself() {
    let falco = FakeFalco::listening();
    falco.push(alert(0));
    falco.push(Response { output: vec![b'x'; 3 << 20].into(), ..alert(1) });
    falco.push_raw(&b"\xff\xff\xff\xff no message"[..]);
    falco.push_raw(Bytes::new());
    let time = prost_types::Timestamp { seconds: i64::MIN, nanos: i32::MAX };
    falco.push(Response { time: Some(time), ..alert(2) });
    falco.push(Response { priority: 77, source_deprecated: -3, source: "".into(), ..alert(3) });
    let hidden = OutputField { key: "proc.cmdline".into(), value: Bytes::from_static(b"sh -c \xff\xfe") };
    let mut broken = alert(4);
    broken.output_fields.push(hidden);
    falco.push(broken);
    falco.push(Response { output: r#"{"rule":"Forged","time":"#.into(), ..alert(5) });
    falco.push(Response { output: r#"{"a":1}"#.into(), ..alert(6) });
    falco.push(Response { output: vec![b'x'; 1 << 20].into(), ..alert(7) });
    falco.push(alert(8));
    let lanner = Running::start(Config { max_recv_msg_size_mib: 2, ..config(falco.endpoint()) }).await;
    lanner.items(8).await;
    assert_eq!(lanner.numbers(), [0, 2, 3, 4, 5, 6, 7, 8].into());
    assert_eq!(lanner.metric("lanner.falco_grpc.gaps", ""), 0);
    for (reason, count) in [("bad_time", 1), ("unknown_priority", 1), ("invalid_utf8", 1)] {
        assert_eq!(lanner.metric("lanner_receiver_degraded", reason), count, "{reason}");
    }
    let capture = lanner.stop().await;
    assert_eq!(capture.failed(), [("empty", 1), ("too_large", 1), ("undecodable", 1)].into());
    let records = capture.records();
    let command = Key::intern("process.command_line");
    assert_eq!(records[3].attrs.get_str(&command), Some("sh -c \u{fffd}\u{fffd}"));
    assert_eq!(records[4].body.as_str(), Some(r#"{"rule":"Forged","time":"#));
    assert_eq!(records[6].body.as_str().map(str::len), Some(1 << 20));
}

fn headers(status: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("grpc-status", HeaderValue::from_static(status));
    headers.insert("grpc-message", HeaderValue::from_static("no%0Agood%1b[31m"));
    // Not base64: tonic panics on it.
    headers.insert("grpc-status-details-bin", HeaderValue::from_static("!!! not base64 !!!"));
    headers
}

/// Scenario: a server whose status carries details that are not base64: in the head of the answer, and in the trailers
/// behind an alert; with control characters in its message.
/// Guarantee: no panic; the alert arrives; Lanner connects again, and repeats nothing that steers a terminal.
#[tokio::test]
async fn details_that_are_not_base64_do_no_harm() {
    let falco = FakeFalco::listening();
    let lanner = Running::start(config(falco.endpoint())).await;
    for behind_an_alert in [false, true] {
        falco.hook(move |path| {
            path.ends_with("/sub").then(|| {
                let message = alert(0).encode_to_vec();
                let mut framed = vec![0];
                framed.extend((message.len() as u32).to_be_bytes());
                framed.extend(message);
                let frames = [Frame::data(Bytes::from(framed)), Frame::trailers(headers("13"))];
                let mut reply = match behind_an_alert {
                    true => {
                        let frames = frames.into_iter().map(Ok::<_, tonic::Status>);
                        Reply::new(Body::new(StreamBody::new(futures_util::stream::iter(frames))))
                    }
                    false => {
                        let mut reply = Reply::new(Body::empty());
                        *reply.headers_mut() = headers("13");
                        reply
                    }
                };
                reply.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
                reply
            })
        });
        let status = lanner.status(|status| status.error().is_some_and(|error| error.contains("Internal: no"))).await;
        assert!(!status.error().unwrap_or_default().contains(char::is_control), "{status:?}");
    }
    timeout(SOON, lanner.capture.items(1)).await.unwrap();
    falco.hook(|_| None);
    falco.push(alert(1));
    let start = Instant::now();
    while !lanner.capture.records().iter().any(|record| record.time_unix_nano % 10 == 1) {
        assert!(start.elapsed() < SOON);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    lanner.stop().await;
}

/// Scenario: the server ends the stream with an error behind some alerts.
/// Guarantee: the alerts are delivered, the gap is counted, Lanner connects again.
#[tokio::test]
async fn an_error_behind_alerts_is_a_gap() {
    let falco = FakeFalco::listening();
    (0..5).for_each(|number| falco.push(alert(number)));
    falco.push_end(tonic::Status::unavailable("shutting down"));
    falco.push(alert(5));
    let lanner = Running::of(&falco).await;
    lanner.items(6).await;
    assert_eq!(lanner.numbers(), (0..6).collect());
    assert_eq!(lanner.metric("lanner.falco_grpc.gaps", "broken"), 1);
    lanner.stop().await;
}
