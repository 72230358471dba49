//! Event text made fit for Slack's markup.
//!
//! Promises: no event can mention people, make a link or leave its code span: `&`, `<` and `>` are always entities and a
//! backtick never stays one; the limits of [`shown_text`](crate::shown_text) hold, entities included.

use crate::shown_text::{push_cut, push_visible};

/// Where a text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Line,
    Code,
    Fence,
}

/// A text in one line of markup.
pub fn line(text: &str, limit: usize) -> String {
    let mut out = String::new();
    push(&mut out, text, limit, Place::Line);
    out
}

/// A value in a code span.
pub fn code(text: &str, limit: usize) -> String {
    let mut out = String::from("`");
    push(&mut out, text.trim(), limit.saturating_sub(2), Place::Code);
    out.push('`');
    out
}

/// A text of many lines, as it is.
pub fn fence(text: &str, limit: usize) -> String {
    let mut out = String::from("```");
    push(&mut out, text.trim(), limit.saturating_sub(6), Place::Fence);
    out.push_str("```");
    out
}

fn push(out: &mut String, text: &str, limit: usize, place: Place) {
    push_cut(out, text, limit, |out, letter| match letter {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '`' if place != Place::Line => out.push('\''),
        '\n' if place == Place::Fence => out.push('\n'),
        '\n' | '\r' | '\t' => out.push(' '),
        letter => push_visible(out, letter),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shown_text::length;

    /// Scenario: mentions, links, entities, backticks, escapes, marks that turn the direction (S11).
    /// Guarantee: nothing of it works, and a reader still sees what was there.
    #[test]
    fn s11_hostile_text_stays_text() {
        let hostile = "<!channel> <@U1> &lt;!here&gt; <http://x|y>";
        assert_eq!(line(hostile, 999), "&lt;!channel&gt; &lt;@U1&gt; &amp;lt;!here&amp;gt; &lt;http://x|y&gt;");
        assert_eq!(code("a`b\nc\u{202e}d\u{1b}[2J", 99), r"`a'b c\u{202e}d\u{1b}[2J`");
        assert_eq!(fence("a```\nb\r\n", 99), "```a'''\nb```");
    }

    /// Scenario: an entity at the cut; every limit from 0 to 40.
    /// Guarantee: entities stay whole, and the limit holds with the marks of the markup included.
    #[test]
    fn entities_are_not_cut() {
        assert_eq!(line("a<<", 8), "a&lt;…");
        for limit in 0..40 {
            for text in ["a<b>&", "👨\u{200d}👩\u{200d}👧👨", "שלום עולם שלום", "e\u{301}\u{301}\u{301}e"]
            {
                assert!(length(&line(text, limit)) <= limit);
                assert!(length(&fence(text, limit + 6)) <= limit + 6);
                assert!(length(&code(text, limit + 2)) <= limit + 2);
            }
        }
    }
}
