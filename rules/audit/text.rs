//! JSON values as text.

use crate::evaluate::Arena;
use bumpalo::collections::String;

/// Of a string what it says, of anything else its JSON without blanks. `raw` is valid JSON.
pub(super) fn text<'a>(raw: &'a str, arena: &'a Arena) -> &'a str {
    match raw.as_bytes().first() {
        Some(b'"') => said(raw, arena),
        Some(b'{' | b'[') => compact(raw, arena),
        _ => raw,
    }
}

/// What a string says. One without escapes says what stands between its quotes.
fn said<'a>(raw: &'a str, arena: &'a Arena) -> &'a str {
    let inner = raw.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(raw);
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return inner;
    }
    match serde_json::from_str::<std::string::String>(raw) {
        Ok(said) => arena.bump().alloc_str(&said),
        // A lone half of a surrogate pair: no text, so it is left as it stands.
        Err(_) => inner,
    }
}

/// The pieces of a JSON text: strings as they stand, everything else byte for byte.
fn pieces(raw: &str) -> impl Iterator<Item = &str> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = raw.get(at..).filter(|rest| !rest.is_empty())?;
        let length = if rest.starts_with('"') {
            let mut end = 1;
            let bytes = rest.as_bytes();
            loop {
                match bytes.get(end) {
                    Some(b'"') => break end + 1,
                    Some(b'\\') => end += 2,
                    Some(_) => end += 1,
                    None => break rest.len(),
                }
            }
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        let piece = rest.get(..length).unwrap_or(rest);
        at += piece.len();
        Some(piece)
    })
}

fn is_blank(piece: &str) -> bool {
    matches!(piece, " " | "\t" | "\n" | "\r")
}

/// Without blanks between the tokens.
fn compact<'a>(raw: &'a str, arena: &'a Arena) -> &'a str {
    if !pieces(raw).any(is_blank) {
        return raw;
    }
    let mut out = String::with_capacity_in(raw.len(), arena.bump());
    for piece in pieces(raw).filter(|piece| !is_blank(piece)) {
        out.push_str(piece);
    }
    out.into_bump_str()
}

/// With a line for each member, indented by two blanks. Deeper than `MAX_INDENT` nothing is indented further, so that
/// the result is never much longer than the text.
pub(super) fn indented<'a>(raw: &str, arena: &'a Arena) -> &'a str {
    const MAX_INDENT: usize = 32;
    let mut out = String::with_capacity_in(raw.len() * 2, arena.bump());
    let mut depth: usize = 0;
    let mut pieces = pieces(raw).filter(|piece| !is_blank(piece)).peekable();
    let line = |out: &mut String<'a>, depth: usize| {
        out.push('\n');
        for _ in 0..depth.min(MAX_INDENT) {
            out.push_str("  ");
        }
    };
    while let Some(piece) = pieces.next() {
        match piece {
            "{" | "[" => {
                out.push_str(piece);
                if let Some(close) = pieces.next_if(|next| matches!(*next, "}" | "]")) {
                    out.push_str(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            "}" | "]" => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push_str(piece);
            }
            "," => {
                out.push(',');
                line(&mut out, depth);
            }
            ":" => out.push_str(": "),
            piece => out.push_str(piece),
        }
    }
    out.into_bump_str()
}
