//! Microsoft Teams: an Adaptive Card for each event, for the workflow "post to a channel when a webhook request is received".
//! A message has at most 28 KB. Values stand in text runs, which know no markup; the workflow answers 202.

use crate::{
    falco_event::FalcoEvent,
    webhook::{
        chat::{facts, tame},
        shape::{Frame, Shape, Unwritable, bytes_of},
    },
};
use lanner_engine::event::{Priority, otlp::LogReader};
use serde_json::{Value as Json, json};

/// With quotes escaped, these stay below the limit.
const MAX_FIELDS: usize = 24;
const MAX_VALUE: usize = 200;
const MAX_OUTPUT: usize = 2000;

pub struct Teams;

impl Shape for Teams {
    fn frame(&self) -> Frame {
        Frame::single("application/json".into())
    }

    fn piece(&self, records: &LogReader<'_>) -> Result<Vec<u8>, Unwritable> {
        let event = FalcoEvent::read(records.lent());
        let run = |text: String, more: Json| {
            let mut run = json!({ "type": "TextRun", "text": text });
            if let (Some(run), Json::Object(more)) = (run.as_object_mut(), more) {
                run.extend(more);
            }
            run
        };
        let line = |runs: Json| json!({ "type": "RichTextBlock", "inlines": runs });
        let title = json!({ "weight": "bolder", "size": "large", "color": colour(event.priority) });
        let mut body = vec![
            line(json!([run(tame(&event.rule, 300), title)])),
            line(json!([run(tame(&event.output, MAX_OUTPUT), json!({ "fontType": "monospace" }))])),
        ];
        let time = event.time_text().map(|time| ("time", time));
        for (name, value) in time.into_iter().chain(facts(&event, MAX_FIELDS)) {
            let name = run(format!("{}: ", tame(name, 100)), json!({ "weight": "bolder" }));
            body.push(line(json!([name, run(tame(&value, MAX_VALUE), json!({}))])));
        }
        let card = json!({
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
            "msteams": { "width": "Full" }, "body": body,
        });
        let kind = "application/vnd.microsoft.card.adaptive";
        bytes_of(&json!({
            "type": "message", "attachments": [{ "contentType": kind, "contentUrl": null, "content": card }],
        }))
    }
}

/// One of the colours that a card has.
fn colour(priority: Option<Priority>) -> &'static str {
    match priority {
        Some(urgent) if urgent >= Priority::Error => "attention",
        Some(Priority::Warning) => "warning",
        Some(Priority::Notice) => "good",
        _ => "accent",
    }
}
