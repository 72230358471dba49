//! Falco's HTTP output to an OTLP sink and to a real Prometheus.

use crate::support::{
    curl, data,
    lanner::Lanner,
    otlp_sink::{OtlpSink, Received},
    scraped::Prometheus,
    wait,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// A pipeline from `receiver` (a YAML flow mapping) to an OTLP sink and to Prometheus.
pub fn config(receiver: &str, sink: &OtlpSink, prometheus: u16) -> String {
    format!(
        "receivers: {{{receiver}}}
connectors: {{event_metrics: }}
exporters:
  otlp_grpc: {{endpoint: '{}', tls: {{insecure: true}}}}
  prometheus: {{endpoint: 'localhost:{prometheus}'}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    logs: {{receivers: [{}], exporters: [otlp_grpc, event_metrics]}}
    metrics: {{receivers: [event_metrics], exporters: [prometheus]}}
",
        sink.endpoint(),
        receiver.split(':').next().unwrap(),
    )
}

/// The alerts of the sample data that are the same alert twice (same host, source, rule, priority, time, output).
fn identity(alert: &serde_json::Value) -> String {
    ["hostname", "source", "rule", "priority", "time", "output", "output_fields"]
        .map(|key| alert[key].to_string())
        .join("\n")
}

/// Checks that the sink has exactly these alerts, with the attributes of the mapping.
pub fn assert_alerts(sent: &[String], received: &[Received]) {
    assert_eq!(received.len(), sent.len(), "every line once");
    let mut by_uid: BTreeMap<String, usize> = BTreeMap::new();
    for alert in received {
        *by_uid.entry(alert.text("log.record.uid").to_owned()).or_default() += 1;
    }
    let sent: Vec<serde_json::Value> = sent.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let distinct: BTreeSet<String> = sent.iter().map(identity).collect();
    assert_eq!(by_uid.len(), distinct.len(), "one id for each distinct alert");

    for alert in &sent {
        let (rule, output) = (alert["rule"].as_str().unwrap(), alert["output"].as_str().unwrap_or_default());
        let same = |found: &&Received| {
            found.text("security_rule.name") == rule && (output.is_empty() || found.body().ends_with(output))
        };
        let found = received.iter().find(same).unwrap_or_else(|| panic!("{rule}: {output} is not at the sink"));
        let priority = alert["priority"].as_str().unwrap();
        assert_eq!(found.record.severity_text, priority);
        assert_eq!(found.text("falco.priority"), priority.to_lowercase());
        let severity = match priority.to_lowercase().as_str() {
            "emergency" => 21,
            "alert" => 19,
            "critical" => 18,
            "error" => 17,
            "warning" => 13,
            "notice" => 10,
            "informational" => 9,
            "debug" => 5,
            other => panic!("{other}"),
        };
        assert_eq!(found.record.severity_number, severity, "{rule}");
        let internal = alert["source"] == "internal";
        assert_eq!(found.record.event_name, if internal { "falco.internal" } else { "falco.alert" });
        assert!(found.record.time_unix_nano > 0 && found.record.observed_time_unix_nano > 0, "{rule}");
        if let Some(nanos) = alert["output_fields"]["evt.time"].as_i64().filter(|nanos| *nanos > 1 << 59) {
            assert_eq!(found.record.time_unix_nano, nanos as u64, "19 digits survive: {rule}");
        }
        if let Some(host) = alert["hostname"].as_str().filter(|host| !host.is_empty()) {
            assert!(received.iter().any(|found| format!("{:?}", found.resource.get("host.name")).contains(host)));
        }
        assert!(found.scope.starts_with("lanner.receiver."), "{}", found.scope);
    }
}

/// Checks that a real Prometheus counts as many alerts as there are, without Falco's own messages.
pub fn assert_counted(sent: &[String], prometheus: &Prometheus) {
    let alerts = sent.iter().filter(|line| {
        let alert: serde_json::Value = serde_json::from_str(line).unwrap();
        alert["source"] != "internal" && !alert["rule"].as_str().unwrap().starts_with("Falco internal:")
    });
    let expected = alerts.count() as f64;
    let query = "sum(falco_alerts_total)";
    let counted =
        wait::until(query, Duration::from_secs(60), || Some(prometheus.query(query)).filter(|sum| *sum >= expected));
    assert_eq!(counted, expected, "{query}");
    let by_label = "sum(falco_alerts_total{falco_priority=\"critical\",falco_source=\"syscall\"})";
    let critical = sent
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|alert| alert["source"] == "syscall" && alert["priority"] == "Critical")
        .count();
    assert_eq!(prometheus.query(by_label), critical as f64, "{by_label}");
}

/// Scenario: `curl`, which is what Falco sends with, posts every alert of the sample data, one at a time.
/// Guarantee: each arrives exactly once at the OTLP sink with the attributes of the mapping, and is counted by a real
/// Prometheus; the ledger closes.
#[test]
fn every_alert_arrives_once_and_is_counted() {
    let Some(alerts) = data::lines("dev/falco_alerts.jsonl") else { return };
    let (sink, port, scraped) = (OtlpSink::start(), wait::free_port(), wait::free_port());
    let Some(prometheus) = Prometheus::scraping(scraped) else { return };
    let lanner = Lanner::start(&config(&format!("falco_http: {{endpoint: 'localhost:{port}'}}"), &sink, scraped));
    for alert in &alerts {
        let (status, body) =
            curl::post(&format!("http://localhost:{port}/"), alert.as_bytes(), &["--header", "TE: gzip"]);
        assert_eq!((status, body.as_str()), (200, ""), "{alert}");
    }
    assert_alerts(&alerts, &sink.wait_for(alerts.len()));
    assert_counted(&alerts, &prometheus);
    let ledger = lanner.stop();
    let row = ledger.row("logs -> otlp_grpc");
    assert_eq!((row.accepted, row.delivered), (alerts.len() as u64, alerts.len() as u64));
    assert_eq!(sink.received().len(), alerts.len(), "nothing came twice");
}
