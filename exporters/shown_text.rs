//! Text of events for people to read, within a limit.
//!
//! Promises: a text is cut between what readers see as characters and marked with an ellipsis; it never has more than `limit`
//! UTF-16 units, what it is replaced by included (services do not say what they count; nothing counts more); characters that
//! steer or hide text are written out.

use unicode_segmentation::UnicodeSegmentation;

/// Appends a text, letter by letter as `write` says.
pub fn push_cut(out: &mut String, text: &str, limit: usize, write: impl Fn(&mut String, char)) {
    let mut used = 0;
    // Up to here the ellipsis fits behind.
    let mut fits = out.len();
    for seen in text.graphemes(true) {
        let start = out.len();
        seen.chars().for_each(|letter| write(out, letter));
        used += length(&out[start..]);
        if used > limit {
            out.truncate(fits);
            if limit > 0 {
                out.push('…');
            }
            return;
        }
        if used < limit {
            fits = out.len();
        }
    }
}

/// A text on one line.
pub fn one_line(text: &str, limit: usize) -> String {
    let mut out = String::new();
    push_cut(&mut out, text.trim(), limit, |out, letter| match letter {
        '\n' | '\r' | '\t' => out.push(' '),
        letter => push_visible(out, letter),
    });
    out
}

/// A letter; written out when it steers or hides text.
pub fn push_visible(out: &mut String, letter: char) {
    if letter.is_control() || is_hidden(letter) { out.extend(letter.escape_unicode()) } else { out.push(letter) }
}

/// How long services may think a text is.
pub fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// What turns the direction of writing or cannot be seen. Joiners stay: scripts and emoji need them.
fn is_hidden(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: texts at and over the limit, with a family emoji, combining marks and Hebrew at the cut (X3).
    /// Guarantee: never over the limit, never inside what is seen as one character, always marked.
    #[test]
    fn x3_cut_between_characters() {
        let family = "👨\u{200d}👩\u{200d}👧";
        let cases = [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("ae\u{301}e\u{301}x", 4, "ae\u{301}…"),
            ("שלום", 3, "של…"),
            ("a\u{202e}b\u{1b}\nc", 99, "a\\u{202e}b\\u{1b} c"),
            ("x", 0, ""),
        ];
        for (text, limit, expected) in cases {
            assert_eq!(one_line(text, limit), expected);
        }
        assert_eq!(one_line(&format!("ab{family}c"), 10), "ab…");
        assert_eq!(one_line(&format!("ab{family}"), 10), format!("ab{family}"));
    }
}
