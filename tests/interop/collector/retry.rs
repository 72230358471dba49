//! Busy on one side of the wire, a retrying exporter on the other.

use crate::{
    canonical::Items,
    collector::process::{Collector, QUEUED, UNQUEUED},
    requests::numbered,
    sender::Sender,
    support::{lanner::Lanner, request_sink::RequestSink, wait},
};
use std::time::Duration;

const REQUESTS: usize = 30;

fn exporter(http: bool, grpc_port: u16, http_port: u16) -> (&'static str, String) {
    match http {
        true => ("otlp_http", format!("endpoint: 'http://127.0.0.1:{http_port}'")),
        false => ("otlp_grpc", format!("endpoint: '127.0.0.1:{grpc_port}', tls: {{insecure: true}}")),
    }
}

/// Scenario: Lanner's queue is full, because its sink is down, while a Collector sends over gRPC and over HTTP; then the
/// sink comes up.
/// Guarantee: the Collector is told to try again (UNAVAILABLE with RetryInfo, 503 with Retry-After) and does: every item
/// arrives exactly once, and the Collector drops nothing.
#[test]
fn a_collector_waits_for_a_busy_lanner() {
    for http in [false, true] {
        let [grpc, of_http, own, first, first_http, sink_port] = std::array::from_fn(|_| wait::free_port());
        let lanner = Lanner::start(&format!(
            "receivers:
  otlp:
    protocols:
      grpc: {{endpoint: 'localhost:{grpc}'}}
      http: {{endpoint: 'localhost:{of_http}'}}
exporters:
  otlp_grpc:
    endpoint: 'localhost:{sink_port}'
    tls: {{insecure: true}}
    sending_queue: {{queue_size: 2, num_consumers: 1}}
    retry_on_failure: {{initial_interval: 100ms, max_interval: 200ms}}
service:
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: localhost, port: {own}}}}}}}}}]}}}}
  pipelines:
    logs: {{receivers: [otlp], exporters: [otlp_grpc]}}
    metrics: {{receivers: [otlp], exporters: [otlp_grpc]}}
    traces: {{receivers: [otlp], exporters: [otlp_grpc]}}
"
        ));
        let (kind, body) = exporter(http, grpc, of_http);
        let collector = Collector::start(first, first_http, (kind, &body), QUEUED);
        let mut sender = Sender::to(first);
        (0..REQUESTS).for_each(|index| sender.send(numbered(index * 10, 10)));
        let page = format!("http://localhost:{own}/metrics");
        let busy = || Lanner::metric(&page, "lanner_receiver_lost_requests", "reason=\"busy\"");
        wait::until("Lanner is busy", Duration::from_secs(30), || (busy() >= 10.0).then_some(()));
        let sink = RequestSink::listen(sink_port);
        let sent = Items::of(&sender.taken);
        let arrived = sink.wait_until("all items after the jam", |all| Items::of(all).total() >= sent.total());
        let (told, log) = (busy(), collector.log());
        drop(collector);
        lanner.stop();
        Items::of(&arrived).assert_same(&sent, kind);
        assert!(!log.contains("Dropping data"), "{log}");
        assert!(log.contains("Will retry the request after interval"), "{log}");
        println!("{kind:>10}: {told} requests answered busy, {} items sent, all arrived once", sent.total());
    }
}

/// Scenario: a Collector without a queue behind Lanner, whose own sink is down, so that it answers UNAVAILABLE or 503;
/// then the Collector is killed and started again; then its sink comes up.
/// Guarantee: Lanner keeps trying: every item arrives; the ledger says delivered for each, and rejects none.
#[test]
fn lanner_waits_for_a_busy_collector() {
    for http in [false, true] {
        let [grpc, of_http, last, last_http, sink_port] = std::array::from_fn(|_| wait::free_port());
        let to_sink = format!("endpoint: '127.0.0.1:{sink_port}', tls: {{insecure: true}}, timeout: 1s");
        // Without queue and with retry switched off, what its sink says becomes its own answer.
        let start = || Collector::start(last, last_http, ("otlp_grpc", &to_sink), UNQUEUED);
        let collector = start();
        let (kind, body) = exporter(http, last, last_http);
        let lanner = Lanner::start(&format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: 'localhost:{grpc}'}}, http: {{endpoint: 'localhost:{of_http}'}}}}}}}}
exporters:
  {kind}: {{{body}, timeout: 2s, retry_on_failure: {{initial_interval: 100ms, max_interval: 500ms}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    logs: {{receivers: [otlp], exporters: [{kind}]}}
    metrics: {{receivers: [otlp], exporters: [{kind}]}}
    traces: {{receivers: [otlp], exporters: [{kind}]}}
"
        ));
        let mut sender = Sender::to(grpc);
        (0..REQUESTS).for_each(|index| sender.send(numbered(index * 10, 10)));
        wait::until("Lanner tries again", Duration::from_secs(30), || {
            lanner.stderr().contains("Will retry the request").then_some(())
        });
        // The Collector's answer, not a broken connection.
        let answer = if http { "HTTP 503" } else { "Unavailable: " };
        let told = lanner.stderr();
        assert!(told.contains(answer), "{told}");
        drop(collector);
        let collector = start();
        let sink = RequestSink::listen(sink_port);
        let sent = Items::of(&sender.taken);
        let complete = |all: &crate::support::request_sink::Requests| Items::of(all).distinct().total() >= sent.total();
        sink.wait_until("all items after the outage", complete);
        let ledger = lanner.stop();
        for signal in ["logs", "metrics", "traces"] {
            let row = ledger.row(&format!("{signal} -> {kind}"));
            assert_eq!((row.delivered, row.rejected), (row.accepted, 0), "{}", row.text);
        }
        drop(collector);
        let arrived = Items::of(&sink.requests());
        let twice = arrived.total() - sent.total();
        arrived.distinct().assert_same(&sent, kind);
        println!("{kind:>10}: sink down, then killed: {} items sent, all arrived, {twice} of them twice", sent.total());
    }
}
