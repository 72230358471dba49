//! Alerts routed by urgency to two sinks, one of which is away.

use crate::support::{curl, lanner::Lanner, otlp_sink::OtlpSink, wait};

/// Alerts with these priorities, in one request.
fn alerts(priorities: &[&str]) -> String {
    let alert = |(number, priority)| {
        format!(
            r#"{{"rule":"R","priority":"{priority}","time":"2026-01-01T00:00:00.{number:09}Z","output":"{priority}","output_fields":{{}}}}"#
        ) + "\n"
    };
    priorities.iter().enumerate().map(alert).collect()
}

/// Scenario: the sink of urgent alerts is away and its queue full; requests with urgent and other alerts, and with others
/// only; then the sink comes back.
/// Guarantee: the mixed requests are refused and leave nothing, the others arrive; once the sink is back a mixed request
/// is taken, each alert reaches exactly the sink of its urgency, and the ledger closes over the router.
#[test]
fn a_route_that_is_full_refuses_the_whole_request() {
    let (port, urgent_port, rest) = (wait::free_port(), wait::free_port(), OtlpSink::start());
    let lanner = Lanner::start(&format!(
        "receivers: {{falco_http: {{endpoint: 'localhost:{port}', hold: 50ms}}}}
connectors:
  routing:
    table: [{{condition: priority >= error, pipelines: [logs/urgent]}}]
    default_pipelines: [logs/rest]
exporters:
  otlp_grpc/urgent:
    endpoint: 'localhost:{urgent_port}'
    tls: {{insecure: true}}
    sending_queue: {{queue_size: 1}}
    retry_on_failure: {{initial_interval: 50ms, max_interval: 100ms}}
  otlp_grpc/rest: {{endpoint: '{}', tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    logs/in: {{receivers: [falco_http], exporters: [routing]}}
    logs/urgent: {{receivers: [routing], exporters: [otlp_grpc/urgent]}}
    logs/rest: {{receivers: [routing], exporters: [otlp_grpc/rest]}}
",
        rest.endpoint()
    ));
    let url = format!("http://localhost:{port}/");
    let post = |priorities: &[&str]| curl::post(&url, alerts(priorities).as_bytes(), &[]).0;
    let mixed = ["Error", "Notice", "Critical", "Warning"];
    assert_eq!(post(&["Emergency"]), 200, "it fills the queue");
    (0..3).for_each(|_| assert_eq!(post(&mixed), 503));
    assert_eq!(post(&["Debug", "Informational"]), 200);
    let received = rest.wait_for(2);
    assert_eq!(received.iter().map(|alert| alert.body()).collect::<Vec<_>>(), ["Debug", "Informational"]);
    let urgent = OtlpSink::listen(urgent_port);
    urgent.wait_for(1);
    wait::until("the queue has room", std::time::Duration::from_secs(10), || (post(&mixed) == 200).then_some(()));
    let bodies = |sink: &OtlpSink, count| {
        let received = sink.wait_for(count);
        received.iter().map(|alert| alert.body().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(bodies(&urgent, 3), ["Emergency", "Error", "Critical"]);
    assert_eq!(bodies(&rest, 4), ["Debug", "Informational", "Notice", "Warning"]);
    let rows = lanner.stop();
    for (name, items) in
        [("logs/in -> routing", 7), ("logs/urgent -> otlp_grpc/urgent", 3), ("logs/rest -> otlp_grpc/rest", 4)]
    {
        let row = rows.row(name);
        assert_eq!((row.accepted, row.delivered), (items, items), "{}", row.text);
    }
}
