//! The scenarios of the targets. What each is compared with stands in `targets.rs`.

use crate::{
    Error,
    load::{Load, Wire},
    payload::{Request, alerts, audit, otlp},
    rules::Judge,
    scenario::{
        Destination::{self, Otlp, Page, Webhook},
        Peer, Scenario,
    },
};
use std::path::Path;

/// Connections of a scenario that does not say.
pub const CONNECTIONS: usize = 32;
pub const FALCO: &str = "falco_http: {endpoint: '$IN', max_connections: 20000}";
pub const OTLP: &str = "otlp: {protocols: {grpc: {endpoint: '$IN'}}}";
pub const EXPORT: &str = "otlp_grpc: {endpoint: 'http://$OUT', compression: none, tls: {insecure: true}}";
pub const DURABLE: &str = "otlp_grpc: {endpoint: 'http://$OUT', compression: none, tls: {insecure: true}, sending_queue: {storage: file_storage}}";
const AUDIT: &str = "k8s_audit: {endpoint: '$IN'}";
pub const WEBHOOK: &str = "webhook: {url: 'http://$OUT/hook', allow_addresses: any}";

/// Requests over HTTP/1.1.
pub fn http(requests: Vec<Request>, connections: usize) -> Load {
    Load { requests: requests.into(), wire: Wire::Http, connections, rate: None }
}

/// Calls of so many records over OTLP/gRPC.
pub fn grpc(records: usize) -> Load {
    let requests = otlp::batches(records).into();
    Load { requests, wire: Wire::Grpc { in_flight: 4 }, connections: 4, rate: None }
}

/// The bare server under this load.
pub fn floor(load: Load) -> Scenario {
    Scenario { name: "floor".to_owned(), peer: Peer::Floor, load, destination: Destination::Peer }
}

/// One for each name in `targets.rs`. `rules` is Falco's ruleset for audit events; Lanner's own rules are taken without it.
pub fn scenarios(rules: Option<&Path>) -> Result<Vec<Scenario>, Error> {
    let single = http(alerts::single(), CONNECTIONS);
    let many = Load { connections: 256, ..single.clone() };
    let (small, large) = (grpc(100), grpc(1000));
    let judge = Judge::new(rules)?;
    let lists = http(audit::lists(|_| Ok(true))?, 4);
    let judged = http(audit::lists(|event| judge.matches(event))?, 4);
    let filter = "filter: {condition: 'severity_number >= 1'}";
    let attributes = "attributes: {actions: [{key: deployment.environment.name, value: bench}]}";
    let falco_rules = match rules {
        Some(file) => format!("falco_rules: {{rules_files: ['{}']}}", file.display()),
        None => "falco_rules: {builtin: [k8s_audit]}".to_owned(),
    };
    Ok(vec![
        floor(single.clone()),
        Scenario::logs("S1", single.clone(), [FALCO, "", EXPORT], Otlp),
        Scenario::logs("S1 durable", single.clone(), [FALCO, "", DURABLE], Otlp),
        Scenario::logs("S1-256", many.clone(), [FALCO, "", EXPORT], Otlp),
        Scenario::logs("S1-256 durable", many, [FALCO, "", DURABLE], Otlp),
        Scenario::logs("S2", single.clone(), [FALCO, "", WEBHOOK], Webhook),
        Scenario::logs("S3-100", small, [OTLP, "", EXPORT], Otlp),
        Scenario::logs("S3-1000", large.clone(), [OTLP, "", EXPORT], Otlp),
        Scenario::logs("S3-1000 filter", large.clone(), [OTLP, filter, EXPORT], Otlp),
        Scenario::logs("S3-1000 attributes", large, [OTLP, attributes, EXPORT], Otlp),
        metrics(single),
        Scenario::logs("S5", lists, [AUDIT, "", EXPORT], Otlp),
        Scenario::logs("S6", judged, [AUDIT, &falco_rules, EXPORT], Otlp),
    ])
}

/// Alerts that are counted, and scraped.
fn metrics(load: Load) -> Scenario {
    let config = format!(
        "receivers: {{{FALCO}}}\nconnectors: {{event_metrics: {{}}}}\nexporters: {{prometheus: {{endpoint: '$OUT'}}}}\n\
         service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n    \
         logs: {{receivers: [falco_http], exporters: [event_metrics]}}\n    \
         metrics: {{receivers: [event_metrics], exporters: [prometheus]}}\n"
    );
    let destination = Page("falco_alerts_total");
    Scenario { name: "S4".to_owned(), peer: Peer::Lanner(config), load, destination }
}
