//! Export requests of OTLP/gRPC with the alerts of [`super::alerts`] as records, about 700 bytes each.

use super::{
    Request,
    alerts::{Alert, Field, alerts},
};
use crate::protobuf::{bytes, fixed64, integer, message as part};

/// Distinct requests.
const DISTINCT: usize = 32;

/// Calls of so many records each.
pub fn batches(size: usize) -> Vec<Request> {
    let all: Vec<Alert> = alerts((DISTINCT * size) as u64, (DISTINCT * size) as u64).collect();
    let call = |alerts: &[Alert]| {
        let message = message(alerts);
        // Not compressed, and how long the message is.
        let mut framed = vec![0];
        framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
        framed.extend_from_slice(&message);
        let events = alerts.len() as u64;
        Request { bytes: framed.into(), numbers: Vec::new(), events, arrivals: events }
    };
    all.chunks_exact(size).map(call).collect()
}

/// `ExportLogsServiceRequest` with a record for each of these.
pub fn message(alerts: &[Alert]) -> Vec<u8> {
    let mut out = Vec::new();
    part(&mut out, 1, |group| {
        part(group, 1, |resource| {
            for (key, value) in [("service.name", "falco"), ("host.name", "node-07"), ("k8s.cluster.name", "bench")] {
                attribute(resource, 1, key, |any| bytes(any, 1, value.as_bytes()));
            }
        });
        part(group, 2, |scope_logs| {
            part(scope_logs, 1, |scope| bytes(scope, 1, b"falco"));
            for alert in alerts {
                part(scope_logs, 2, |out| record(out, alert));
            }
        });
    });
    out
}

fn record(out: &mut Vec<u8>, alert: &Alert) {
    fixed64(out, 1, alert.unix);
    fixed64(out, 11, alert.unix);
    integer(out, 2, if alert.priority == "Critical" { 21 } else { 13 });
    bytes(out, 3, alert.priority.as_bytes());
    part(out, 5, |any| bytes(any, 1, alert.output.as_bytes()));
    attribute(out, 6, "falco.rule", |any| bytes(any, 1, alert.rule.as_bytes()));
    attribute(out, 6, "falco.source", |any| bytes(any, 1, b"syscall"));
    attribute(out, 6, "falco.tags", |any| {
        part(any, 5, |list| alert.tags.iter().for_each(|tag| part(list, 1, |any| bytes(any, 1, tag.as_bytes()))));
    });
    for (key, value) in &alert.fields {
        attribute(out, 6, key, |any| match value {
            Field::Text(text) => bytes(any, 1, text.as_bytes()),
            Field::Integer(number) => integer(any, 3, *number),
        });
    }
}

fn attribute(out: &mut Vec<u8>, field: u64, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
    part(out, field, |pair| {
        bytes(pair, 1, key.as_bytes());
        part(pair, 2, value);
    });
}
