//! Memory and books when the sink is down.

use crate::support::{lanner::Lanner, wait};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// How long the load lasts; `LANNER_DEAD_SINK_SECONDS=300` for the long run by hand.
fn seconds() -> u64 {
    std::env::var("LANNER_DEAD_SINK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(30)
}

/// Alerts per second.
const RATE: u64 = 2000;
/// Connections that share the rate, so that a held answer of one does not stop the others.
const CONNECTIONS: u64 = 50;

/// One connection's share of the load; returns how many were answered 200 and 503.
fn send(port: u16, end: Instant, worker: u64) -> (u64, u64) {
    let connect = || {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    };
    let (mut stream, mut accepted, mut refused, mut number) = (connect(), 0, 0, 0u64);
    let gap = Duration::from_micros(1_000_000 * CONNECTIONS / RATE);
    let mut next = Instant::now();
    let mut answer = [0; 1024];
    while Instant::now() < end {
        number += 1;
        let body = format!(
            r#"{{"hostname":"node-{worker}","output":"12:00:00.000000000: Warning File below etc opened for writing (file=/etc/f{number})","output_fields":{{"evt.time":{},"fd.name":"/etc/f{number}","proc.name":"vi","container.id":"host"}},"priority":"Warning","rule":"Write below etc","source":"syscall","tags":["filesystem"],"time":"2026-01-01T12:00:00.{number:09}Z"}}"#,
            1_767_268_800_000_000_000 + number
        );
        write!(stream, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut head = String::new();
        while !head.contains("\r\n\r\n") {
            let read = stream.read(&mut answer).unwrap();
            assert!(read > 0, "the connection was closed without an answer");
            head.push_str(&String::from_utf8_lossy(&answer[..read]));
        }
        match head.get(9..12) {
            Some("200") => accepted += 1,
            Some("503") => refused += 1,
            other => panic!("{other:?}"),
        }
        if head.to_ascii_lowercase().contains("connection: close") {
            stream = connect();
        }
        next += gap;
        std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
        // On a busy machine a connection catches up with what it owes, but not with more than a few seconds of it.
        next = next.max(Instant::now() - Duration::from_secs(3));
    }
    (accepted, refused)
}

/// Scenario: 2,000 alerts a second are sent at a pipeline whose sink refuses connections.
/// Guarantee: memory stays flat once the queue is full, every refused alert is answered 503 and counted, and the ledger adds
/// up to the last event.
#[test]
fn memory_stays_bounded_and_every_alert_is_accounted_for() {
    let (port, own) = (wait::free_port(), wait::free_port());
    let nobody = wait::free_port();
    let lanner = Lanner::start(&format!(
        "receivers: {{falco_http: {{endpoint: 'localhost:{port}', overload: reject}}}}
exporters: {{otlp_grpc: {{endpoint: 'localhost:{nobody}', tls: {{insecure: true}}}}}}
service:
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: localhost, port: {own}}}}}}}}}]}}}}
  pipelines: {{logs: {{receivers: [falco_http], exporters: [otlp_grpc]}}}}
"
    ));
    let end = Instant::now() + Duration::from_secs(seconds());
    let workers: Vec<_> = (0..CONNECTIONS).map(|worker| std::thread::spawn(move || send(port, end, worker))).collect();
    // The queue (1000 requests) is full after a second; from then on memory must not grow.
    let mut samples = Vec::new();
    while Instant::now() < end {
        std::thread::park_timeout(Duration::from_millis(500));
        samples.push(lanner.rss_kib());
    }
    let (accepted, refused) = workers
        .into_iter()
        .map(|worker| worker.join().unwrap())
        .fold((0, 0), |sums, one| (sums.0 + one.0, sums.1 + one.1));
    let settled = samples.len() / 5;
    let (early, late) = (samples[settled], *samples.last().unwrap());
    eprintln!(
        "dead sink: accepted {accepted}, refused {refused}, RSS {early} KiB after {settled} samples, {late} KiB at the end"
    );
    assert!(accepted + refused >= RATE * seconds() * 9 / 10, "the load was offered: {accepted} + {refused}");
    assert!(refused > 0 && accepted >= 1000, "the queue took its 1000 and refused the rest");
    assert!(late < early + 8 * 1024, "RSS grew from {early} to {late} KiB");
    assert!(*samples.iter().max().unwrap() < 96 * 1024, "{samples:?}");

    let page = format!("http://localhost:{own}/metrics");
    assert_eq!(Lanner::metric(&page, "otelcol_receiver_refused_log_records", "falco_http") as u64, refused);
    assert_eq!(Lanner::metric(&page, "otelcol_receiver_accepted_log_records", "falco_http") as u64, accepted);
    let ledger = lanner.stop();
    let row = ledger.row("logs -> otlp_grpc");
    assert_eq!((row.accepted, row.delivered, row.queued), (accepted, 0, 0), "{}", row.text);
    assert_eq!(row.rejected, accepted, "a memory queue ends with the process, and says so: {}", row.text);
}
