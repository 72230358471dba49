//! Signals.

use crate::support::{
    curl,
    lanner::{Lanner, TempDir},
    otlp_sink::OtlpSink,
    storm::Storm,
    wait,
};
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

/// Scenario: SIGTERM, or Ctrl-C, right after 100 alerts were accepted.
/// Guarantee: all are at the sink before the process ends with 0; the ledger closes.
#[test]
fn sigterm_and_sigint_drain() {
    for name in ["TERM", "INT"] {
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

/// Scenario: D14: SIGTERM under load, with a dead sink and a queue on disk; then a start with the sink back.
/// Guarantee: the process ends with 0 within its deadline, refuses who comes later, and everything that it has answered 200
/// is at the sink after the restart.
#[test]
fn d14_sigterm_with_a_dead_sink() {
    let (dir, port, sink_port) = (TempDir::new(), wait::free_port(), wait::free_port());
    let path = dir.path().join("config.yaml");
    let queue = "tls: {insecure: true}, sending_queue: {storage: file_storage}";
    let yaml = config(port, &format!("localhost:{sink_port}")).replace("tls: {insecure: true}", queue).replace(
        "service:\n",
        "extensions: {file_storage: {directory: state}}\nservice:\n  extensions: [file_storage]\n",
    );
    std::fs::write(&path, yaml).unwrap();
    let args = ["run", "--config", path.to_str().unwrap()];
    let mut lanner = Lanner::start_with(dir, &args);
    let storm = Storm::start(port, 4, true);
    wait::until("alerts wait", Duration::from_secs(30), || (storm.accepted() > 100).then_some(()));
    let asked = Instant::now();
    lanner.signal("TERM");
    let (status, stderr) = lanner.wait(Duration::from_secs(20));
    assert!(status.success(), "{status}:\n{stderr}");
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert!(!stderr.contains("DOES NOT ADD UP"), "{stderr}");
    let sent = storm.end();
    assert_eq!(sent.refused, 4, "every sender was refused in the end");
    assert!(sent.accepted.len() > 10, "{}", sent.accepted.len());
    let sink = OtlpSink::listen(sink_port);
    let lanner = Lanner::start_with(lanner.into_dir(), &args);
    let received = sink.wait_for(sent.accepted.len());
    sent.check(received.iter().map(|alert| alert.body()));
    lanner.stop();
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
