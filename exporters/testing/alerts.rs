use super::data;
use lanner_engine::{
    event::OtlpRequest,
    prelude::*,
    semantics::{FalcoMapper, MappingOptions, scope},
};
use serde_json::{Value as Json, json};

/// The real alerts as they were sent, each with what the mapping makes of it; `None` without sample data.
pub fn alerts() -> Option<Vec<(Json, Logs)>> {
    let lines = data::lines("dev/falco_alerts.jsonl")?;
    Some(lines.into_iter().map(|line| (serde_json::from_str(&line).unwrap(), mapped(&line))).collect())
}

/// An alert's text as the receiver would map it.
fn mapped(alert: &str) -> Logs {
    let whole = MappingOptions {
        redact_command_lines: false,
        max_attribute_bytes: 0,
        max_attributes: 4096,
        ..MappingOptions::default()
    };
    let mapper = FalcoMapper::new(&whole);
    let mut logs = Logs::default();
    mapper.map_body(&alert.into(), 1_700_000_000_000_000_000, &scope("lanner.receiver.falco"), &mut logs);
    logs
}

/// An export request of records.
pub fn request(logs: Logs) -> Request {
    Request::new(Batch::logs(logs).to_otlp())
}

/// An alert of every trick that a hostile value may try on a sink: ends of strings, lines, templates, markup, terminal
/// control, mentions, text in the other direction, and a field of 100 kB.
pub fn hostile() -> Json {
    let nasty = "\"}],\"x\":1}\n{\"create\":{}}\r\n{{ 7*7 }}{% for %}${jndi:ldap://x}%proc.name</script><!channel>@everyone \
                 @channel <@U1> [click](http://evil.example) `code` **bold** \u{1b}[31m\u{0}\u{7}\u{202e}\\ ' & end";
    json!({
        "hostname": nasty, "output": nasty, "priority": "Critical", "rule": nasty, "source": nasty,
        "time": "2025-02-10T09:15:40.698757001Z", "tags": [nasty, "T1059"],
        "output_fields": {
            "proc.name": nasty, "k8s.ns.name": nasty, "k8s.pod.name": nasty, "fd.num": 9_007_199_254_740_993_i64,
            "container.image.repository": nasty, "huge": "ä\"".repeat(50_000), nasty: nasty,
        },
    })
}

/// An export request of alerts written as JSON.
pub fn alert_request(alerts: &[Json]) -> Request {
    let mut all = Logs::default();
    for alert in alerts {
        for group in mapped(&alert.to_string()).groups {
            group.records.into_iter().for_each(|record| all.push(group.resource.clone(), group.scope.clone(), record));
        }
    }
    request(all)
}

/// A request whose bytes are no OTLP.
pub fn broken_request() -> Request {
    Request::new(OtlpRequest { signal: Signal::Logs, bytes: vec![0xff; 8].into(), items: 1 })
}
