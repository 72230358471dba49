//! Mattermost: a message with an attachment for each event. A message has at most 16383 characters; values stand in code, where
//! mentions and markup are text.

use crate::{
    falco_event::FalcoEvent,
    webhook::{
        chat::{code_block, code_span, colour, facts, plain_title, tame},
        shape::{Frame, Shape, Unwritable, bytes_of},
    },
};
use lanner_engine::event::otlp::LogReader;
use serde_json::{Value as Json, json};

const MAX_FIELDS: usize = 30;
const MAX_VALUE: usize = 200;

pub struct Mattermost;

impl Shape for Mattermost {
    fn frame(&self) -> Frame {
        Frame {
            content_type: "application/json".into(),
            open: r#"{"username":"Lanner","attachments":["#,
            between: ",",
            close: "]}",
            max_records: 10,
            max_bytes: 12_000,
        }
    }

    fn piece(&self, records: &LogReader<'_>) -> Result<Vec<u8>, Unwritable> {
        let event = FalcoEvent::read(records.lent());
        let field = |(name, value): (&str, String)| -> Json {
            json!({ "title": plain_title(name, 100), "value": code_span(&value, MAX_VALUE), "short": value.len() < 36 })
        };
        bytes_of(&json!({
            "fallback": code_span(&format!("{}: {}", event.rule, event.output), 500),
            "color": format!("#{:06x}", colour(event.priority)),
            "title": plain_title(&event.rule, 300),
            "text": code_block(&event.output, 2000),
            "fields": facts(&event, MAX_FIELDS).into_iter().map(field).collect::<Vec<_>>(),
            "footer": tame(&event.time_text().unwrap_or_default(), 64),
        }))
    }
}
