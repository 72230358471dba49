//! Aggregation while Lanner is killed and started again.

use crate::support::{
    lanner::{Lanner, TempDir},
    otlp_sink::{OtlpSink, Received},
    wait,
};
use lanner_proto::common::v1::any_value::Value;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
    time::Duration,
};

const ALERTS: u64 = 4000;
const SENDERS: u64 = 8;
const RULES: u64 = 7;
const KILLS: u64 = 6;

fn config(state: &TempDir, port: u16, sink: u16) -> String {
    format!(
        "extensions: {{file_storage: {{directory: '{}/state'}}}}
receivers: {{falco_http: {{endpoint: 'localhost:{port}'}}}}
processors:
  aggregate: {{group_by: [rule], window: {{size: 1s}}, storage: file_storage, flush_on_drain: true}}
exporters:
  otlp_grpc: {{endpoint: 'localhost:{sink}', tls: {{insecure: true}}, sending_queue: {{enabled: false}}}}
service:
  extensions: [file_storage]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{logs: {{receivers: [falco_http], processors: [aggregate], exporters: [otlp_grpc]}}}}
",
        state.path().display()
    )
}

/// Sends alerts one by one, each until it is answered with 200; returns how many were sent again.
fn send(port: u16, numbers: impl Iterator<Item = u64>, acknowledged: &AtomicU64) -> u64 {
    // Nothing here uses TLS, but the client wants a provider; a second installation is refused and that is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::blocking::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
    let mut again = 0;
    for number in numbers {
        let alert = format!(
            r#"{{"rule":"rule {}","priority":"Error","time":"2026-01-01T00:00:00Z","output":"alert {number}","output_fields":{{}}}}"#,
            number % RULES
        );
        let post = || client.post(format!("http://localhost:{port}/")).body(alert.clone()).send();
        let mut first = true;
        wait::until("the alert is acknowledged", Duration::from_secs(60), || {
            again += u64::from(!std::mem::take(&mut first));
            post().is_ok_and(|answer| answer.status().is_success()).then_some(())
        });
        acknowledged.fetch_add(1, SeqCst);
    }
    again
}

/// Records behind what the sink got: one for an alert, the count of a summary; what came twice counts once.
fn total(received: &[Received]) -> i64 {
    let mut counts: BTreeMap<&str, (i64, &Received)> = BTreeMap::new();
    for record in received {
        let count = match record.attributes.get("lanner.group.count") {
            Some(Value::IntValue(count)) => *count,
            _ => 1,
        };
        let (before, first) = *counts.entry(record.text("log.record.uid")).or_insert((count, record));
        assert_eq!((before, first.body()), (count, record.body()), "the same id is the same record");
    }
    counts.values().map(|(count, _)| count).sum()
}

/// Scenario: D24: senders that repeat what was not acknowledged; Lanner is killed with SIGKILL in the middle of windows of a
/// second, several times, and started again with the same storage.
/// Guarantee: passed alerts and the counts of summaries add up to exactly the alerts sent.
#[test]
fn d24_sums_are_exact_over_kills() {
    let (state, port, sink_port) = (TempDir::new(), wait::free_port(), wait::free_port());
    let sink = OtlpSink::listen(sink_port);
    let config = config(&state, port, sink_port);
    let acknowledged = AtomicU64::new(0);
    let (ledger, again) = thread::scope(|scope| {
        let acknowledged = &acknowledged;
        let senders: Vec<_> = (0..SENDERS)
            .map(|first| scope.spawn(move || send(port, (first..ALERTS).step_by(SENDERS as usize), acknowledged)))
            .collect();
        for kill in 1..=KILLS {
            let mut lanner = Lanner::start(&config);
            let share = ALERTS * kill / (KILLS + 1);
            wait::until("some are acknowledged", Duration::from_secs(60), || {
                (acknowledged.load(SeqCst) >= share).then_some(())
            });
            lanner.signal("KILL");
            lanner.wait(Duration::from_secs(10));
        }
        let lanner = Lanner::start(&config);
        let again: u64 = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
        (lanner.stop(), again)
    });
    ledger.row("logs -> aggregate");
    ledger.row("logs after aggregate -> otlp_grpc");
    let received = sink.received();
    println!("{KILLS} kills, {again} requests repeated, {} records for {ALERTS} alerts", received.len());
    assert_eq!(total(&received), ALERTS as i64);
    assert!(again > 0, "a kill fell into a request");
    assert!(received.len() < ALERTS as usize / 4, "most were folded");
}
