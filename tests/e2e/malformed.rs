//! Everything odd that real senders have sent.

use crate::support::{curl, data, lanner::Lanner, otlp_sink::OtlpSink, wait};

/// Scenario: every line of the malformed corpora is posted, whatever it is, and then one good alert.
/// Guarantee: no panic and never a 5xx; each body is at the sink, as an alert or as a plain record with its text; what is
/// not usable is counted; the good alert still gets through.
#[test]
fn the_malformed_corpus_is_answered_kept_and_counted() {
    let Some(falco) = data::lines("malformed/falco.jsonl") else { return };
    let lines = [falco, data::lines("malformed/transport.jsonl").unwrap_or_default()].concat();
    let (sink, port, own) = (OtlpSink::start(), wait::free_port(), wait::free_port());
    let lanner = Lanner::start(&format!(
        "receivers: {{falco_http: {{endpoint: 'localhost:{port}'}}}}
exporters: {{otlp_grpc: {{endpoint: '{}', tls: {{insecure: true}}}}}}
service:
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: localhost, port: {own}}}}}}}}}]}}}}
  pipelines: {{logs: {{receivers: [falco_http], exporters: [otlp_grpc]}}}}
",
        sink.endpoint()
    ));
    let url = format!("http://localhost:{port}/");
    let (mut kept, mut refused) = (0, 0);
    for line in &lines {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let raw = case["raw"].as_str().unwrap();
        let (status, _) = curl::post(&url, raw.as_bytes(), &[]);
        match status {
            200 => kept += 1,
            400 => {
                refused += 1;
                // Falco does not look at the status, so what was in the body is kept all the same.
                kept += usize::from(!raw.trim().is_empty());
            }
            other => panic!("{}: {other}", case["id"]),
        }
    }
    assert!(refused > 0, "text that is no JSON is answered as falcosidekick does");
    let good =
        br#"{"rule":"Good","priority":"Notice","time":"2026-01-01T00:00:00Z","output":"fine","output_fields":{}}"#;
    assert_eq!(curl::post(&url, good, &[]).0, 200);
    let received = sink.wait_for(kept + 1);
    assert!(
        received
            .iter()
            .any(|alert| alert.record.event_name == "falco.alert" && alert.text("security_rule.name") == "Good")
    );
    for line in &lines {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let raw = case["raw"].as_str().unwrap();
        if serde_json::from_str::<serde_json::Value>(raw).is_err() && !raw.trim().is_empty() {
            let start: String = raw.trim().chars().take(40).collect();
            let is_here =
                received.iter().any(|found| found.record.event_name.is_empty() && found.body().contains(&start));
            assert!(is_here, "{}: not kept as a plain record", case["id"]);
        }
    }
    let metrics = curl::get(&format!("http://localhost:{own}/metrics"), &[]).1;
    let accepted = crate::support::lanner::sum(&metrics, "otelcol_receiver_accepted_log_records", "falco_http");
    assert_eq!(accepted as usize, received.len());
    let row_count = received.len() as u64;
    assert_eq!(lanner.stop().row("logs -> otlp_grpc").delivered, row_count);
}
