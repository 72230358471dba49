//! Lanner goes away and comes back between two Collectors.

use crate::{
    canonical::Items,
    collector::process::{Collector, QUEUED},
    requests::numbered,
    sender::Sender,
    support::{lanner::Lanner, request_sink::RequestSink, wait},
};

/// Scenario: requests flow without a pause through Collector, Lanner and sink while Lanner is stopped and started again,
/// three times, over gRPC and over HTTP.
/// Guarantee: nothing that the first Collector took is lost: it repeats what Lanner did not take, and Lanner delivers what
/// it took before it ends.
#[test]
fn a_restart_loses_nothing() {
    for http in [false, true] {
        let [grpc, of_http, first, first_http] = std::array::from_fn(|_| wait::free_port());
        let sink = RequestSink::start();
        let config = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: 'localhost:{grpc}'}}, http: {{endpoint: 'localhost:{of_http}'}}}}}}}}
exporters: {{otlp_grpc: {{endpoint: 'localhost:{}', tls: {{insecure: true}}}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    logs: {{receivers: [otlp], exporters: [otlp_grpc]}}
    metrics: {{receivers: [otlp], exporters: [otlp_grpc]}}
    traces: {{receivers: [otlp], exporters: [otlp_grpc]}}
",
            sink.port()
        );
        let (kind, body) = match http {
            true => ("otlp_http", format!("endpoint: 'http://127.0.0.1:{of_http}'")),
            false => ("otlp_grpc", format!("endpoint: '127.0.0.1:{grpc}', tls: {{insecure: true}}")),
        };
        let mut running = Some(Lanner::start(&config));
        let collector = Collector::start(first, first_http, (kind, &body), QUEUED);
        let stop = std::sync::atomic::AtomicBool::new(false);
        let (sent, restarts) = std::thread::scope(|scope| {
            let sending = scope.spawn(|| {
                let mut sender = Sender::to(first);
                let mut index = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    sender.send(numbered(index * 5, 5));
                    index += 1;
                }
                Items::of(&sender.taken)
            });
            let mut restarts = 0;
            for _ in 0..3 {
                let before = Items::of(&sink.requests()).total();
                sink.wait_until("more items", |all| Items::of(all).total() > before + 100);
                running.take().unwrap().stop();
                running = Some(Lanner::start(&config));
                restarts += 1;
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            (sending.join().unwrap(), restarts)
        });
        sink.wait_until("all items", |all| Items::of(all).distinct().total() >= sent.total());
        let log = collector.log();
        drop(collector);
        running.unwrap().stop();
        let arrived = Items::of(&sink.requests());
        let twice = arrived.total() - sent.total();
        arrived.distinct().assert_same(&sent, kind);
        assert!(!log.contains("Dropping data"), "{log}");
        println!("{kind:>10}: {restarts} restarts, {} items sent, all arrived, {twice} of them twice", sent.total());
    }
}
