//! Rows of `incidents`: the newest report of each.
//!
//! Promises: reports may come in any order and repeat; what stands is the report of the end, else the one that knows most
//! alerts.

use super::event::{Event, hex, json, signed};
use lanner_engine::{
    prelude::*,
    semantics::{self, event_names, keys},
};
use rusqlite::{Connection, params};
use std::sync::LazyLock;

macro_rules! names {
    ($($name:ident = $text:literal;)*) => {
        $(static $name: LazyLock<Key> = LazyLock::new(|| Key::intern($text));)*
    };
}

names! {
    ID = "incident.id";
    STATE = "lanner.incident.state";
    ALERTS = "lanner.incident.alerts";
    END_REASON = "lanner.incident.end_reason";
    FIRST_TIME = "lanner.incident.first_time";
    LAST_TIME = "lanner.incident.last_time";
    PREVIOUS = "lanner.incident.previous";
}

const INCIDENT: &str = "INSERT INTO incidents
    (id, trace_id, span_id, state, severity, priority, alerts, first_time, last_time, end_reason, previous, cluster, host,
     namespace, pod, container_id, message, rules, tactics, attributes, last_event)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)
    ON CONFLICT (id) DO UPDATE SET
     trace_id = excluded.trace_id, span_id = excluded.span_id, state = excluded.state, severity = excluded.severity,
     priority = excluded.priority, alerts = excluded.alerts, first_time = excluded.first_time,
     last_time = excluded.last_time, end_reason = excluded.end_reason, previous = excluded.previous,
     cluster = excluded.cluster, host = excluded.host, namespace = excluded.namespace, pod = excluded.pod,
     container_id = excluded.container_id, message = excluded.message, rules = excluded.rules,
     tactics = excluded.tactics, attributes = excluded.attributes, last_event = max(last_event, excluded.last_event)
    WHERE excluded.state = 'closed' OR (incidents.state <> 'closed' AND excluded.alerts >= incidents.alerts)";

/// Writes the incident that the event reports, if it is a report.
pub fn write(connection: &Connection, event: Event<'_>, id: i64) -> rusqlite::Result<()> {
    let record = event.record;
    if record.event_name != event_names::LANNER_INCIDENT {
        return Ok(());
    }
    let Some(incident) = event.text(&ID) else { return Ok(()) };
    let number = |key: &Key| record.attrs.get(key).and_then(Value::as_int);
    let time = signed(event.time());
    let texts = |key: &Key| serde_json::to_string(&event.list(key).collect::<Vec<_>>()).unwrap_or_default();
    connection.prepare_cached(INCIDENT)?.execute(params![
        incident,
        hex(&record.trace_id),
        hex(&record.span_id),
        event.text(&STATE).unwrap_or("opened"),
        record.severity_number.0,
        semantics::priority(record).map(Priority::lower),
        number(&ALERTS).unwrap_or(0),
        number(&FIRST_TIME).unwrap_or(time),
        number(&LAST_TIME).unwrap_or(time),
        event.text(&END_REASON),
        event.text(&PREVIOUS),
        event.text(&keys::CLUSTER_NAME),
        event.text(&keys::HOST_NAME),
        event.text(&keys::NAMESPACE_NAME),
        event.text(&keys::POD_NAME),
        super::tally::container_id(event),
        record.body.as_str(),
        texts(&keys::RULE),
        texts(&keys::THREAT_TACTIC_NAME),
        json(&record.attrs),
        id,
    ])?;
    Ok(())
}
