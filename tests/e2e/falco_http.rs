//! Falco's HTTP output to an OTLP sink and to a real Prometheus.

use crate::support::{
    curl, data,
    lanner::Lanner,
    otlp_sink::{OtlpSink, Received},
    scraped::Prometheus,
    wait,
};
use std::{collections::BTreeMap, time::Duration};

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

/// What makes an alert the same alert (`docs/mapping.md`, section 4). The sample data repeats some.
fn identity(alert: &serde_json::Value) -> String {
    let text = |key: &str| alert[key].as_str().unwrap_or_default().to_lowercase();
    ["hostname", "rule", "priority", "time", "output"].map(text).join("\n")
}

/// The nanoseconds within the second of an RFC 3339 time; all nine digits must survive.
fn fraction(time: &str) -> u64 {
    let digits: String = time.split('.').nth(1).unwrap_or("0").chars().take_while(char::is_ascii_digit).collect();
    format!("{digits:0<9}").parse().unwrap()
}

/// How often each thing occurs, without its name.
fn sizes(things: impl Iterator<Item = String>) -> Vec<usize> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    things.for_each(|thing| *counts.entry(thing).or_default() += 1);
    let mut sizes: Vec<usize> = counts.into_values().collect();
    sizes.sort_unstable();
    sizes
}

/// Checks that the sink has exactly these alerts, with the attributes of the mapping.
pub fn assert_alerts(sent: &[String], received: &[Received]) {
    assert_eq!(received.len(), sent.len(), "every line once");
    let sent: Vec<serde_json::Value> = sent.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let uids = received.iter().map(|alert| alert.text("log.record.uid").to_owned());
    assert_eq!(
        sizes(uids),
        sizes(sent.iter().map(identity)),
        "one id for each distinct alert, as often as it was sent"
    );

    for alert in &sent {
        let (rule, output) = (alert["rule"].as_str().unwrap(), alert["output"].as_str().unwrap_or_default());
        let priority = alert["priority"].as_str().unwrap();
        let same = |found: &&Received| {
            found.text("security_rule.name") == rule
                && (output.is_empty() || found.body() == output)
                && found.record.severity_text == priority
                && alert["time"]
                    .as_str()
                    .is_none_or(|time| fraction(time) == found.record.time_unix_nano % 1_000_000_000)
        };
        let found = received.iter().find(same).unwrap_or_else(|| panic!("{rule}: {output} is not at the sink"));
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
        // Old Falco sent its own messages without a source.
        let internal = alert["source"] == "internal" || rule.starts_with("Falco internal:");
        assert_eq!(found.record.event_name, if internal { "falco.internal" } else { "falco.alert" });
        assert!(found.record.time_unix_nano > 0 && found.record.observed_time_unix_nano > 0, "{rule}");
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
