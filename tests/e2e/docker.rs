//! Alerts printed by a container under a real Docker engine.

mod nightly;

use crate::{
    falco_http::{assert_alerts, assert_counted, config},
    support::{data, dockerd::Dockerd, lanner::Lanner, otlp_sink::OtlpSink, scraped::Prometheus, wait},
};

/// Scenario: a container prints every alert of the sample data; Lanner follows its log.
/// Guarantee: each arrives exactly once at the OTLP sink with the attributes of the mapping, and is counted by a real
/// Prometheus; the ledger closes.
#[test]
fn every_alert_of_a_container_arrives_once_and_is_counted() {
    let Some(path) = data::path("dev/falco_alerts.jsonl") else { return };
    let alerts = data::lines("dev/falco_alerts.jsonl").unwrap_or_default();
    let Some(daemon) = Dockerd::shared() else { return };
    let (sink, scraped) = (OtlpSink::start(), wait::free_port());
    let Some(prometheus) = Prometheus::scraping(scraped) else { return };
    let receiver = format!(
        "docker_logs: {{endpoint: '{}', include: {{names: ['falco-e2e*']}}, start_at: beginning}}",
        daemon.host()
    );
    let lanner = Lanner::start(&config(&receiver, &sink, scraped));
    let mount = format!("{}:/alerts.jsonl:ro", path.canonicalize().unwrap().display());
    daemon.run("falco-e2e", &["--volume", &mount], "cat /alerts.jsonl; exec sleep 600");
    assert_alerts(&alerts, &sink.wait_for(alerts.len()));
    assert_counted(&alerts, &prometheus);
    let ledger = lanner.stop();
    let row = ledger.row("logs -> otlp_grpc");
    assert_eq!((row.accepted, row.delivered), (alerts.len() as u64, alerts.len() as u64));
    assert_eq!(sink.received().len(), alerts.len(), "nothing came twice");
}
