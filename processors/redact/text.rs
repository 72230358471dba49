//! Parts of a text.

use super::config::Replacement;
use crate::digest::digest;
use lanner_engine::config::Pattern;

/// The text with every match replaced; `None` when it stays as it is.
pub(super) fn replace(text: &str, pattern: &Pattern, replacement: &Replacement) -> Option<String> {
    let (mut out, mut copied) = (String::new(), 0);
    for captures in pattern.0.captures_iter(text) {
        // The first group that took part, else the whole match, which is always there.
        let Some(part) = captures.iter().skip(1).flatten().next().or_else(|| captures.get(0)) else { continue };
        if part.start() < copied {
            continue;
        }
        out.push_str(&text[copied..part.start()]);
        match replacement {
            Replacement::Mask(mask) => out.push_str(mask),
            Replacement::Hash(key) => out.push_str(&digest(key, part.as_str().as_bytes())),
            Replacement::Delete => {}
        }
        copied = part.end();
    }
    if copied == 0 {
        return None;
    }
    out.push_str(&text[copied..]);
    (out != text).then_some(out)
}
