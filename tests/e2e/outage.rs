//! A sink that goes away and comes back (D8, in small).

use crate::support::{curl, lanner::Lanner, otlp_sink::OtlpSink, wait};
use std::{collections::BTreeSet, time::Duration};

fn alerts(from: usize, count: usize) -> String {
    (from..from + count)
        .map(|number| {
            format!(
                r#"{{"rule":"R","priority":"Error","time":"2026-01-01T00:00:00.{number:09}Z","output":"alert {number}","output_fields":{{}}}}"#
            ) + "\n"
        })
        .collect()
}

/// Scenario: the sink is down, up, killed, and up again, while alerts are accepted one request at a time.
/// Guarantee: every accepted alert arrives, none twice (nothing was cut in mid-answer here), and the ledger closes.
#[test]
fn d8_everything_accepted_arrives_after_an_outage() {
    let (port, sink_port, own) = (wait::free_port(), wait::free_port(), wait::free_port());
    let lanner = Lanner::start(&format!(
        "receivers: {{falco_http: {{endpoint: 'localhost:{port}'}}}}
exporters:
  otlp_grpc:
    endpoint: 'localhost:{sink_port}'
    tls: {{insecure: true}}
    retry_on_failure: {{initial_interval: 100ms, max_interval: 500ms}}
service:
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: localhost, port: {own}}}}}}}}}]}}}}
  pipelines: {{logs: {{receivers: [falco_http], exporters: [otlp_grpc]}}}}
"
    ));
    let url = format!("http://localhost:{port}/");
    let post = |from, count| assert_eq!(curl::post(&url, alerts(from, count).as_bytes(), &[]).0, 200);
    (0..20).for_each(|batch| post(batch * 10, 10));
    let sink = OtlpSink::listen(sink_port);
    let mut received = sink.wait_for(200);
    // The sink goes when Lanner has every answer: a request whose answer is cut is rightly sent again.
    wait::until("200 are answered", Duration::from_secs(60), || {
        let page = format!("http://localhost:{own}/metrics");
        (Lanner::metric(&page, "otelcol_exporter_sent_log_records", "") == 200.0).then_some(())
    });
    drop(sink);
    (20..40).for_each(|batch| post(batch * 10, 10));
    let sink = OtlpSink::listen(sink_port);
    received.extend(sink.wait_for(200));
    let row = lanner.stop();
    let row = row.row("logs -> otlp_grpc");
    assert_eq!((row.accepted, row.delivered), (400, 400), "{}", row.text);
    let distinct: BTreeSet<&str> = received.iter().map(|alert| alert.body()).collect();
    assert_eq!((received.len(), distinct.len()), (400, 400));
    assert_eq!(sink.received().len(), 200, "nothing came twice");
}
