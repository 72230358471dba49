//! Discord: messages of embeds. Limits: 10 embeds and 6000 characters of a message, title 256, description 4096, 25 fields of
//! 256 and 1024. Mentions are switched off for the message; values stand in code, where they are text.

use crate::{
    falco_event::FalcoEvent,
    webhook::{
        chat::{code_block, code_span, colour, facts, plain_title, tame},
        shape::{Frame, Shape, Unwritable, bytes_of},
    },
};
use lanner_engine::event::otlp::LogReader;
use serde_json::{Value as Json, json};

const MAX_FIELDS: usize = 25;
const MAX_NAME: usize = 100;
const MAX_VALUE: usize = 256;
const MAX_DESCRIPTION: usize = 1500;
/// All text of an embed; the limit of a message is 6000.
const MAX_TEXT: usize = 5500;

pub struct Discord;

impl Shape for Discord {
    fn frame(&self) -> Frame {
        Frame {
            content_type: "application/json".into(),
            open: r#"{"username":"Lanner","allowed_mentions":{"parse":[]},"embeds":["#,
            between: ",",
            close: "]}",
            max_records: 10,
            // Bytes of JSON are more than characters of text, so several embeds never have 6000.
            max_bytes: 6000,
        }
    }

    fn piece(&self, records: &LogReader<'_>) -> Result<Vec<u8>, Unwritable> {
        let event = FalcoEvent::read(records.lent());
        let title = plain_title(&event.rule, 200);
        let description = code_block(&event.output, MAX_DESCRIPTION);
        let mut left = MAX_TEXT - units(&title) - units(&description);
        let mut fields: Vec<Json> = Vec::new();
        for (name, value) in facts(&event, MAX_FIELDS) {
            let (name, value) = (tame(name, MAX_NAME), code_span(&value, MAX_VALUE));
            let needed = units(&name) + units(&value);
            // A name of nothing is refused.
            if needed > left || name.is_empty() {
                continue;
            }
            left -= needed;
            fields.push(json!({ "name": name, "value": value, "inline": true }));
        }
        let mut embed =
            json!({ "title": title, "description": description, "color": colour(event.priority), "fields": fields });
        if let (Some(time), Some(embed)) = (event.time_text(), embed.as_object_mut()) {
            embed.insert("timestamp".into(), time.into());
        }
        bytes_of(&embed)
    }
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}
