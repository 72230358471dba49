//! Signals.

use crate::support::{curl, lanner::Lanner, otlp_sink::OtlpSink, wait};
use std::time::{Duration, Instant};

const ALERT: &str = r#"{"rule":"R","priority":"Error","time":"2026-01-01T00:00:00Z","output":"o","output_fields":{}}"#;

fn config(port: u16, sink: &str) -> String {
    format!(
        "receivers: {{falco_http: {{endpoint: 'localhost:{port}'}}}}
exporters: {{otlp_grpc: {{endpoint: '{sink}', tls: {{insecure: true}}}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [falco_http], exporters: [otlp_grpc]}}}}
"
    )
}

/// Scenario: SIGTERM, or SIGHUP of a closed terminal, right after 100 alerts were accepted.
/// Guarantee: all are at the sink before the process ends with 0; the ledger closes.
#[test]
fn sigterm_and_sighup_drain() {
    for name in ["TERM", "HUP"] {
        let (sink, port) = (OtlpSink::start(), wait::free_port());
        let lanner = Lanner::start(&config(port, &sink.endpoint()));
        let body = format!("{ALERT}\n").repeat(100);
        assert_eq!(curl::post(&format!("http://localhost:{port}/"), body.as_bytes(), &[]).0, 200);
        let ledger = lanner.stop_by(name);
        assert_eq!(sink.received().len(), 100, "{name}");
        assert_eq!(ledger.row("logs -> otlp_grpc").delivered, 100, "{name}");
    }
}

/// Scenario: SIGINT with a dead sink and something queued (D14), then nothing more.
/// Guarantee: the process ends within the deadline with 0, and the ledger says what was lost and why.
#[test]
fn d14_a_dead_sink_does_not_hold_the_drain_beyond_its_deadline() {
    let port = wait::free_port();
    let mut lanner = Lanner::start(&config(port, &format!("localhost:{}", wait::free_port())));
    assert_eq!(curl::post(&format!("http://localhost:{port}/"), ALERT.as_bytes(), &[]).0, 200);
    let started = Instant::now();
    lanner.signal("INT");
    let (status, stderr) = lanner.wait(Duration::from_secs(20));
    assert!(status.success(), "{status}");
    assert!(started.elapsed() < Duration::from_secs(11), "{:?}", started.elapsed());
    assert!(stderr.contains("shutdown_deadline: 1"), "{stderr}");
}

/// Scenario: a second signal while the drain waits for a dead sink.
/// Guarantee: the process exits at once, with the code shells use for that signal.
#[test]
fn a_second_signal_exits() {
    let port = wait::free_port();
    let mut lanner = Lanner::start(&config(port, &format!("localhost:{}", wait::free_port())));
    assert_eq!(curl::post(&format!("http://localhost:{port}/"), ALERT.as_bytes(), &[]).0, 200);
    lanner.signal("TERM");
    wait::until("the drain begins", Duration::from_secs(5), || lanner.stderr().contains("Stopping").then_some(()));
    let started = Instant::now();
    lanner.signal("TERM");
    let (status, _) = lanner.wait(Duration::from_secs(5));
    assert_eq!(status.code(), Some(143));
    assert!(started.elapsed() < Duration::from_secs(2));
}
