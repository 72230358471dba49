//! Splunk's HTTP event collector: events one behind the other.
//!
//! A 400 with `invalid-event-number` says that the events in front of that one were indexed and those behind it not looked at.

use super::IndexPattern;
use crate::{
    falco_event::FalcoEvent,
    http::{Reply, RetryStatuses, Veil},
    webhook::shape::{Answer, Frame, Shape, TokenHeader, Unwritable, bounded, bytes_of},
};
use http::{StatusCode, header};
use lanner_engine::event::otlp::LogReader;
use serde::Deserialize;
use serde_json::json;

/// Older versions take a body of 1 MB.
const MAX_EVENT: usize = 200_000;

pub struct SplunkHec {
    pub index: Option<IndexPattern>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "invalid-event-number")]
    number: Option<usize>,
}

impl Shape for SplunkHec {
    fn frame(&self) -> Frame {
        Frame {
            content_type: "application/json".into(),
            open: "",
            between: "\n",
            close: "",
            max_records: 500,
            max_bytes: 700_000,
        }
    }

    fn token(&self) -> TokenHeader {
        TokenHeader { name: header::AUTHORIZATION, prefix: "Splunk " }
    }

    fn piece(&self, records: &LogReader<'_>) -> Result<Vec<u8>, Unwritable> {
        let event = FalcoEvent::read(records.lent());
        let mut piece = json!({
            "source": "lanner", "sourcetype": "falco", "event": bounded(&event, MAX_EVENT),
        });
        if let Some(piece) = piece.as_object_mut() {
            if event.time > 0 {
                // Seconds with milliseconds, which is what Splunk keeps.
                piece.insert("time".into(), ((event.time / 1_000_000) as f64 / 1000.0).into());
            }
            if !event.hostname.is_empty() {
                piece.insert("host".into(), event.hostname.into());
            }
            if let Some(index) = &self.index {
                piece.insert("index".into(), index.at(event.time).into());
            }
        }
        bytes_of(&piece)
    }

    fn read(&self, reply: &Reply, records: usize, retry: &RetryStatuses, veil: &Veil) -> Answer {
        let refusal = || serde_json::from_slice::<Refusal>(&reply.body).ok()?.number;
        match reply.status {
            StatusCode::BAD_REQUEST => match refusal().filter(|number| *number < records) {
                Some(at) => Answer::BadAt { at, reason: reply.reason(veil) },
                None => Answer::All(reply.verdict(retry, veil)),
            },
            _ => Answer::All(reply.verdict(retry, veil)),
        }
    }
}
