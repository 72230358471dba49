//! Text that a peer wrote, made fit for a log line and a reason.
//!
//! Promises: at most [`PEER_TEXT_LIMIT`] bytes and an ellipsis; one line; no control characters, so that a peer
//! can neither fake a log line nor steer a terminal.

/// Longest text of a peer that is repeated, in bytes.
pub const PEER_TEXT_LIMIT: usize = 1024;

/// Makes bytes of a peer showable: bounded, control characters as `\u{..}`, invalid UTF-8 replaced.
pub fn peer_text(bytes: &[u8]) -> String {
    // Looks at no more than could be shown.
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(PEER_TEXT_LIMIT)]);
    let mut shown = String::with_capacity(head.len());
    push_escaped(&mut shown, head.trim(), PEER_TEXT_LIMIT);
    if bytes.len() > PEER_TEXT_LIMIT && !shown.ends_with('…') {
        shown.push('…');
    }
    shown
}

/// Appends text that may be hostile: on one line, control characters as `\u{..}`, at most `limit` bytes and then
/// an ellipsis. For terminals and text logs.
pub fn push_escaped(out: &mut String, text: &str, limit: usize) {
    let mut left = limit;
    for letter in text.chars() {
        let escaped = is_steering(letter);
        let length = if escaped { letter.escape_unicode().len() } else { letter.len_utf8() };
        if length > left {
            out.push('…');
            return;
        }
        left -= length;
        if escaped { out.extend(letter.escape_unicode()) } else { out.push(letter) }
    }
}

/// Control characters, line and paragraph separators, and what turns the direction of writing.
fn is_steering(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
