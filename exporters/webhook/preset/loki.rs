//! Loki: a stream entry for each event. Labels are few and have few values; what tells events apart goes into structured
//! metadata, the event itself is the line.
//!
//! A 400 says that some entries were refused (too old, for example) while the others were stored. Equal entries of a stream
//! are stored once, so halving finds the refused ones and repeats nothing.

use crate::{
    falco_event::FalcoEvent,
    webhook::{
        chat::tame,
        shape::{Frame, Shape, Unwritable, bounded, bytes_of},
    },
};
use lanner_engine::event::otlp::LogReader;
use serde_json::{Map, Value as Json, json};

/// Loki's own limit is 2048.
const MAX_LABEL: usize = 128;
/// Loki's limit of a line is 256 KB.
const MAX_LINE: usize = 200_000;

pub struct Loki;

impl Shape for Loki {
    fn frame(&self) -> Frame {
        Frame {
            content_type: "application/json".into(),
            open: r#"{"streams":["#,
            between: ",",
            close: "]}",
            max_records: 1000,
            max_bytes: 1 << 20,
        }
    }

    fn piece(&self, records: &LogReader<'_>) -> Result<Vec<u8>, Unwritable> {
        let event = FalcoEvent::read(records.lent());
        let field = |name: &str| event.field(name).unwrap_or_default();
        let texts = |pairs: &[(&str, &str)]| -> Map<String, Json> {
            let said = pairs.iter().filter(|(_, value)| !value.is_empty());
            said.map(|(name, value)| ((*name).to_owned(), tame(value, MAX_LABEL).into())).collect()
        };
        let labels = texts(&[
            ("service_name", "falco"),
            ("rule", &event.rule),
            ("priority", event.priority_text()),
            ("source", event.source),
            ("k8s_cluster_name", &field("k8s.cluster.name")),
            ("k8s_ns_name", &field("k8s.ns.name")),
        ]);
        let metadata = texts(&[
            ("hostname", event.hostname),
            ("k8s_pod_name", &field("k8s.pod.name")),
            ("uid", event.uid),
            ("tags", &event.tags.join(",")),
        ]);
        let line = String::from_utf8(bytes_of(&bounded(&event, MAX_LINE))?).map_err(|e| Unwritable(e.to_string()))?;
        bytes_of(&json!({ "stream": labels, "values": [[event.time.to_string(), line, metadata]] }))
    }
}
