//! Datadog's log intake: an array of at most 1000 logs and 5 MB, a log at most 1 MB; 202 is taken.

use crate::{
    falco_event::FalcoEvent,
    webhook::shape::{Frame, Shape, TokenHeader, Unwritable, bounded, bytes_of},
};
use http::HeaderName;
use lanner_engine::event::{Priority, otlp::LogReader};

pub struct DatadogLogs;

impl Shape for DatadogLogs {
    fn frame(&self) -> Frame {
        Frame {
            content_type: "application/json".into(),
            open: "[",
            between: ",",
            close: "]",
            max_records: 1000,
            max_bytes: 3 << 20,
        }
    }

    fn token(&self) -> TokenHeader {
        TokenHeader { name: HeaderName::from_static("dd-api-key"), prefix: "" }
    }

    fn piece(&self, records: &LogReader<'_>) -> Result<Vec<u8>, Unwritable> {
        let event = FalcoEvent::read(records.lent());
        let mut log = bounded(&event, 900_000);
        let message = log.remove("output").unwrap_or_default();
        let mut put = |key: &str, value: serde_json::Value| drop(log.insert(key.to_owned(), value));
        put("message", message);
        put("ddsource", "falco".into());
        put("service", "falco".into());
        put("status", status(event.priority).into());
        // Milliseconds.
        put("timestamp", (event.time / 1_000_000).into());
        // Datadog's tags are `key:value` with commas between; a comma of a value would begin another.
        let tags = event.tags.iter().map(|tag| format!("falco_tag:{}", tag.replace(',', "_")));
        put("ddtags", tags.collect::<Vec<_>>().join(",").into());
        bytes_of(&log)
    }
}

/// Datadog's words.
fn status(priority: Option<Priority>) -> &'static str {
    match priority {
        Some(Priority::Emergency) => "emergency",
        Some(Priority::Alert) => "alert",
        Some(Priority::Critical) => "critical",
        Some(Priority::Error) => "error",
        Some(Priority::Warning) => "warning",
        Some(Priority::Notice) => "notice",
        Some(Priority::Debug) => "debug",
        Some(Priority::Informational) | None => "info",
    }
}
