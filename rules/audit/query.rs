//! Parameters of a request's URI.

use crate::evaluate::Arena;
use bumpalo::collections::Vec;

/// The first value of a query parameter, decoded. A parameter that cannot be decoded is skipped.
pub(super) fn parameter<'a>(uri: &'a str, name: &str, arena: &'a Arena) -> Option<&'a [u8]> {
    let uri = uri.split('#').next().unwrap_or_default();
    let (_, query) = uri.split_once('?')?;
    query.split('&').filter(|pair| !pair.contains(';')).find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let is_it = decoded(key, arena)? == name.as_bytes() && !pair.is_empty();
        if is_it { decoded(value, arena) } else { None }
    })
}

/// `+` is a blank, `%HH` a byte. `None` if a `%` is followed by something else.
fn decoded<'a>(text: &'a str, arena: &'a Arena) -> Option<&'a [u8]> {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(bytes);
    }
    let mut out = Vec::with_capacity_in(bytes.len(), arena.bump());
    let mut rest = bytes;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = std::str::from_utf8(behind.get(..2)?).ok()?;
                let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                rest = behind.get(2..)?;
                is_hex.then(|| u8::from_str_radix(digits, 16).ok()).flatten()?
            }
            other => *other,
        });
    }
    Some(out.into_bump_slice())
}
