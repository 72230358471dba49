//! Memory and books when the sink is down.

use crate::support::{falco, lanner::Lanner, wait};
use std::time::{Duration, Instant};

/// How long the load lasts; `LANNER_DEAD_SINK_SECONDS=300` for the long run by hand.
fn seconds() -> u64 {
    std::env::var("LANNER_DEAD_SINK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(30)
}

/// Alerts per second.
const RATE: u64 = 2000;
/// Falcos that share the rate, each with one request in flight.
const FALCOS: u64 = 50;

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
    let load = std::thread::spawn(move || falco::storm(port, FALCOS, RATE, Duration::from_secs(seconds())));
    // The queue (1000 requests) is full after a second; from then on memory must not grow.
    let mut samples = Vec::new();
    while Instant::now() < end {
        std::thread::park_timeout(Duration::from_millis(500));
        samples.push(lanner.rss_kib());
    }
    let falco::Seen { accepted, refused, .. } = load.join().unwrap();
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
