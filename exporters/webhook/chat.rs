//! Text for chat sinks, whose markup must not become the event's to use.
//!
//! Promise: behind [`code_span`] and [`code_block`] no markup, mention or link of a value works; behind [`plain_title`] none of
//! Markdown's. Control characters and those that turn the direction of writing are shown as escapes.

use crate::falco_event::{FalcoEvent, shown};
use lanner_engine::{event::Priority, net::client::push_escaped};

/// At most `max` UTF-16 units (what chat servers count, or more), the last an ellipsis when something was cut.
pub fn shorten(text: &str, max: usize) -> String {
    let mut units = 0;
    for (index, letter) in text.char_indices() {
        units += letter.len_utf16();
        if units > max {
            // Room for the ellipsis.
            let mut kept: Vec<char> = text[..index].chars().collect();
            while kept.iter().map(|letter| letter.len_utf16()).sum::<usize>() >= max && kept.pop().is_some() {}
            return kept.into_iter().chain(['…']).collect();
        }
    }
    text.to_owned()
}

/// One line without control characters, at most `max` units.
pub fn tame(text: &str, max: usize) -> String {
    let mut shown = String::new();
    // An escape is the longest that a character becomes, and a unit has at most three bytes.
    push_escaped(&mut shown, text, max.saturating_mul(3));
    shorten(&shown, max)
}

/// A value between backticks; at most `max` units with them.
pub fn code_span(text: &str, max: usize) -> String {
    let text = if text.is_empty() { "-" } else { text };
    // Backticks end the span, however they are escaped.
    format!("`{}`", tame(&text.replace('`', "'"), max.saturating_sub(2)))
}

/// A text in a block of its own; at most `max` units with its fences.
pub fn code_block(text: &str, max: usize) -> String {
    format!("```\n{}\n```", tame(&text.replace('`', "'"), max.saturating_sub(8)))
}

/// A title on which Markdown has no effect: what it knows as markup is escaped. At most `max` units.
pub fn plain_title(text: &str, max: usize) -> String {
    let mut title = String::new();
    // Each character may need a second one.
    for letter in tame(text, max / 2).chars() {
        if letter.is_ascii_punctuation()
            && !matches!(letter, '.' | ',' | ':' | ';' | '/' | '\'' | '"' | '%' | '&' | '?')
        {
            title.push('\\');
        }
        title.push(letter);
    }
    title
}

/// The colour of a priority, as falcosidekick's chat outputs have it.
pub fn colour(priority: Option<Priority>) -> u32 {
    match priority {
        Some(Priority::Emergency | Priority::Error) => 0xe2_0b0b,
        Some(Priority::Alert | Priority::Critical) => 0xff_5400,
        Some(Priority::Warning) => 0xff_c700,
        Some(Priority::Notice) => 0x5b_ffb5,
        Some(Priority::Informational) => 0x68_c2ff,
        Some(Priority::Debug) | None => 0xcc_fff2,
    }
}

/// What a chat shows of an event: its own keys first, then its fields, at most `max` in all.
pub fn facts<'e>(event: &'e FalcoEvent<'_>, max: usize) -> Vec<(&'e str, String)> {
    let tags = event.tags.join(", ");
    let own = [
        ("priority", event.priority_text()),
        ("source", event.source),
        ("hostname", event.hostname),
        ("tags", tags.as_str()),
    ];
    let own = own.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.to_owned()));
    let fields = event.fields.iter().map(|(name, value)| (name.as_ref(), shown(value).into_owned()));
    own.chain(fields).take(max).collect()
}
