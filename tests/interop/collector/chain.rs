//! client -> Collector -> Lanner -> Collector -> sink, in every protocol and compression that both sides have.

use crate::{
    canonical::Items,
    collector::process::{Collector, QUEUED},
    requests::numbered,
    sender::Sender,
    support::{lanner::Lanner, request_sink::RequestSink, wait},
};
use std::time::Instant;

/// How both neighbours of Lanner speak to it in one run of the chain.
struct Hop {
    http: bool,
    compression: &'static str,
    /// Of the Collector's exporter; Lanner's own sends protobuf.
    json: bool,
}

const REQUESTS: usize = 4;
const ITEMS: usize = 250;

fn run(hop: &Hop, processors: &str) {
    let Hop { http, compression, json } = *hop;
    let [first_grpc, first_http, in_grpc, in_http, last_grpc, last_http] = std::array::from_fn(|_| wait::free_port());
    let sink = RequestSink::start();
    let to_sink = format!("endpoint: '127.0.0.1:{}', tls: {{insecure: true}}, compression: gzip", sink.port());
    let last = Collector::start(last_grpc, last_http, ("otlp_grpc", &to_sink), QUEUED);
    let kind = if http { "otlp_http" } else { "otlp_grpc" };
    let body = |grpc: u16, of_http: u16| match http {
        true => format!("endpoint: 'http://127.0.0.1:{of_http}', compression: {compression}"),
        false => format!("endpoint: '127.0.0.1:{grpc}', tls: {{insecure: true}}, compression: {compression}"),
    };
    let lanner = Lanner::start(&format!(
        "receivers:
  otlp:
    protocols:
      grpc: {{endpoint: 'localhost:{in_grpc}'}}
      http: {{endpoint: 'localhost:{in_http}'}}
processors: {{filter: {{exclude_tags: [nothing_has_this]}}}}
exporters:
  {kind}: {{{}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    logs: {{receivers: [otlp], processors: [{processors}], exporters: [{kind}]}}
    metrics: {{receivers: [otlp], exporters: [{kind}]}}
    traces: {{receivers: [otlp], exporters: [{kind}]}}
",
        body(last_grpc, last_http)
    ));
    let encoding = if json { ", encoding: json" } else { "" };
    let first_body = format!("{}{encoding}", body(in_grpc, in_http));
    let first = Collector::start(first_grpc, first_http, (kind, &first_body), QUEUED);
    let started = Instant::now();
    let mut sender = Sender::to(first_grpc);
    (0..REQUESTS).for_each(|index| sender.send(numbered(index * ITEMS, ITEMS)));
    let sent = Items::of(&sender.taken);
    let what = format!(
        "{kind} {compression}{}{}",
        if json { " json" } else { "" },
        if processors.is_empty() { "" } else { " decoded" }
    );
    let arrived = sink
        .wait_until(&format!("{what}: all items at the sink"), |requests| Items::of(requests).total() >= sent.total());
    let took = started.elapsed();
    drop(first);
    let ledger = lanner.stop();
    for (signal, count) in [("logs", REQUESTS * ITEMS), ("traces", REQUESTS * ITEMS)] {
        let row = ledger.row(&format!("{signal} -> {kind}"));
        assert_eq!((row.accepted, row.delivered), (count as u64, count as u64), "{what}: {}", row.text);
    }
    drop(last);
    Items::of(&arrived).assert_same(&sent, &what);
    // Nothing came after the books were closed, either.
    assert_eq!(Items::of(&sink.requests()).counts(), sent.counts(), "{what}: at the end");
    let [logs, metrics, spans] = sent.counts();
    println!(
        "{what:>28}: {logs} log records, {metrics} metrics, {spans} spans, {} KiB equal, {took:.0?}",
        sent.bytes() >> 10
    );
}

/// Scenario: O1: logs, metrics and traces with everything OTLP offers go through Collector, Lanner and Collector, in each
/// protocol and compression; then with a component that looks into the logs, and with OTLP/JSON on the way in.
/// Guarantee: every item arrives once, and its resource, scope and own bytes are what was sent.
#[test]
fn everything_arrives_unchanged_in_every_protocol_and_compression() {
    for compression in ["none", "gzip", "zstd", "snappy"] {
        run(&Hop { http: false, compression, json: false }, "");
    }
    for compression in ["none", "gzip", "zstd", "snappy", "x-snappy-framed", "deflate", "zlib"] {
        run(&Hop { http: true, compression, json: false }, "");
    }
    run(&Hop { http: false, compression: "zstd", json: false }, "filter");
    run(&Hop { http: true, compression: "gzip", json: true }, "filter");
    run(&Hop { http: true, compression: "none", json: true }, "");
}
