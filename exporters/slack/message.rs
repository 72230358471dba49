//! What a message looks like: a line of text, and a coloured card with the alert's output and fields.
//!
//! Promises: every message keeps Slack's limits ([`check`] is the list), whatever the event holds; what does not fit is cut
//! with an ellipsis or counted in the card's last line; nothing from an event is markup.
//!
//! Everything is in one attachment, because only attachments have a colour; the line in front of it is what
//! notifications show.

use super::text;
use crate::{
    alert_view::{AlertView, shown},
    shown_text::length,
};
use lanner_conditions::{FieldList, Seen, Template};
use lanner_engine::{
    prelude::*,
    semantics::{keys, priority},
};
use serde_json::{Value as Json, json};
use std::sync::LazyLock;

/// Slack's limits, in characters and pieces.
pub const SECTION_TEXT: usize = 3000;
pub const FIELDS_PER_SECTION: usize = 10;
pub const FIELD_TEXT: usize = 2000;
/// All text of the blocks together: more is refused, at a length that is not documented (about 13200).
pub const ALL_TEXT: usize = 12_000;
/// Slack takes 50; a card of so many fields is unreadable long before.
const FIELD_SECTIONS: usize = 5;
/// The line in front of the card.
const LINE: usize = 1000;
/// Room for the card's last line.
const LAST_LINE: usize = 600;
/// Of a rule's name and a place.
const NAME: usize = 250;

static RECOMMENDATION: LazyLock<Key> = LazyLock::new(|| Key::intern("lanner.recommendation"));

/// What the configuration says about messages.
pub struct Look {
    /// The line in front of the card; ours unless given.
    pub line: Option<Template>,
    /// The fields to show; all unless given.
    pub fields: Option<FieldList>,
}

/// The colours that falcosidekick gives priorities.
pub const fn colour(priority: Option<Priority>) -> &'static str {
    match priority {
        Some(Priority::Emergency | Priority::Error) => "#e20b0b",
        Some(Priority::Alert | Priority::Critical) => "#ff5400",
        Some(Priority::Warning) => "#ffc700",
        Some(Priority::Notice) => "#5bffb5",
        Some(Priority::Informational) => "#68c2ff",
        Some(Priority::Debug) | None => "#ccfff2",
    }
}

impl Look {
    /// The message of one record.
    pub fn message(&self, resource: &Resource, record: &LogRecord) -> Json {
        let view = AlertView { resource, record };
        let line = self.line(view);
        let mut card = Card { left: ALL_TEXT - LAST_LINE - length(&line), blocks: Vec::new() };
        card.section(text::fence(&view.output(), SECTION_TEXT));
        let left_out = card.fields(self.fields(view));
        if let Some(advice) = view.text(&RECOMMENDATION) {
            card.section(text::line(advice, SECTION_TEXT));
        }
        card.last_line(view, left_out);
        body(line, colour(priority(record)), card.blocks)
    }

    fn line(&self, view: AlertView<'_>) -> String {
        if let Some(template) = &self.line {
            let mut rendered = String::new();
            template.render(Seen { resource: view.resource, record: view.record }, &mut rendered);
            if !rendered.is_empty() {
                return text::line(&rendered, LINE);
            }
        }
        let mut line = match priority(view.record) {
            Some(priority) => format!("*{priority}* "),
            None => String::new(),
        };
        line.push_str(&text::line(view.title(), NAME));
        if let Some(place) = view.place() {
            line.push_str(" · ");
            line.push_str(&text::code(&place, NAME));
        }
        line
    }

    /// Names and values, in the order in which they are shown.
    fn fields(&self, view: AlertView<'_>) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        if let Some(wanted) = &self.fields {
            let seen = Seen { resource: view.resource, record: view.record };
            wanted.with(seen, |values| {
                for (name, value) in wanted.names().iter().zip(values) {
                    if value.exists() {
                        fields.push((name.clone(), value.to_string()));
                    }
                }
            });
            return fields;
        }
        let mut add = |name: &str, value: Option<&str>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                fields.push((name.to_owned(), value.to_owned()));
            }
        };
        add("rule", view.text(&keys::RULE));
        add("priority", priority(view.record).map(Priority::title));
        add("source", view.text(&keys::SOURCE));
        add("hostname", view.text(&keys::HOST_NAME));
        add("tags", Some(&view.tags().join(", ")));
        // The recommendation has a section of its own.
        for (name, value) in view.fields().iter().filter(|(name, _)| name != RECOMMENDATION.as_str()) {
            add(name, Some(value));
        }
        add("time", crate::file::records::time_text(view.record).as_deref());
        fields
    }
}

/// The blocks of a card, and how much text they may still hold.
struct Card {
    left: usize,
    blocks: Vec<Json>,
}

impl Card {
    fn section(&mut self, markup: String) {
        let needed = length(&markup);
        // Longer than the markup that stands around nothing.
        if needed > 6 && needed <= self.left {
            self.left -= needed;
            self.blocks.push(json!({"type": "section", "text": markdown(markup)}));
        }
    }

    /// Gives back how many did not fit.
    fn fields(&mut self, fields: Vec<(String, String)>) -> usize {
        let (all, mut shown) = (fields.len(), Vec::new());
        for (name, value) in fields {
            let name = format!("*{}*\n", text::line(&name, NAME));
            let field = format!("{name}{}", text::code(&value, FIELD_TEXT - length(&name)));
            let needed = length(&field);
            if needed <= self.left && shown.len() < FIELD_SECTIONS * FIELDS_PER_SECTION {
                self.left -= needed;
                shown.push(markdown(field));
            }
        }
        for fields in shown.chunks(FIELDS_PER_SECTION) {
            self.blocks.push(json!({"type": "section", "fields": fields}));
        }
        all - shown.len()
    }

    /// Category, techniques, and what is not shown.
    fn last_line(&mut self, view: AlertView<'_>, left_out: usize) {
        let mut parts = Vec::new();
        parts.extend(view.text(&keys::CATEGORY).map(str::to_owned));
        for key in [&keys::THREAT_TECHNIQUE_ID, &keys::THREAT_SUBTECHNIQUE_ID] {
            parts.extend(view.record.attrs.get(key).map(|ids| shown(ids).into_owned()));
        }
        let mut line = text::line(&parts.join(" · "), LAST_LINE - 100);
        if left_out > 0 {
            let gap = if line.is_empty() { "" } else { " · " };
            let noun = if left_out == 1 { "field" } else { "fields" };
            line.push_str(&format!("{gap}{left_out} more {noun} not shown"));
        }
        if !line.is_empty() {
            self.blocks.push(json!({"type": "context", "elements": [markdown(line)]}));
        }
    }
}

/// Markup in which nothing is made into a link.
fn markdown(markup: String) -> Json {
    json!({"type": "mrkdwn", "text": markup, "verbatim": true})
}

/// A message: nothing in it is unfurled or linked.
pub fn body(line: String, colour: &str, blocks: Vec<Json>) -> Json {
    let mut body = json!({"text": line, "unfurl_links": false, "unfurl_media": false, "link_names": false});
    if !blocks.is_empty() {
        body["attachments"] = json!([{"color": colour, "blocks": blocks}]);
    }
    body
}

/// A message of one section.
pub fn note(line: String, colour: &str, markup: String) -> Json {
    body(line, colour, vec![json!({"type": "section", "text": markdown(markup)})])
}
