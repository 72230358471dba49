//! What the splitter finds becomes records, or a request where nobody looks at records.

use super::split::Piece;
use lanner_engine::{
    event::otlp::GroupWriter,
    semantics::{
        AuditMapper,
        audit::{Encoded, Item, Mapped, Origin},
    },
};
use std::{borrow::Cow, sync::Arc};

/// What is odd about a text that was no UTF-8.
const INVALID_UTF8: &str = "invalid_utf8";

/// The text of a piece, and whether it was valid.
fn text(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text.trim_end()), true),
        Err(_) => (Cow::Owned(String::from_utf8_lossy(bytes).trim_end().to_owned()), false),
    }
}

/// Makes the record of a piece; also says how many bytes of text it may keep in memory.
pub(crate) fn map(
    mapper: &AuditMapper,
    origin: &Origin,
    piece: &Piece<'_>,
    observed_unix_nano: u64,
) -> (Mapped, usize) {
    let (text, valid) = text(piece.bytes());
    let text: Arc<str> = text.into();
    let mut mapped = match *piece {
        Piece::Broken { reason, .. } => mapper.plain(origin, &text, reason, observed_unix_nano),
        Piece::Item { removed, .. } => mapper.map(origin, Item { text: &text, removed }, observed_unix_nano),
    };
    if !valid {
        mapped.degraded.add(INVALID_UTF8);
    }
    (mapped, text.len())
}

/// Writes a piece to a request: the bytes of the record that [`map`] makes.
pub(super) fn encode(
    mapper: &AuditMapper,
    origin: &Origin,
    piece: &Piece<'_>,
    observed_unix_nano: u64,
    request: &mut GroupWriter,
) -> (Encoded, usize) {
    let (text, valid) = text(piece.bytes());
    let mut encoded = match *piece {
        Piece::Broken { reason, .. } => {
            let mapped = mapper.plain(origin, &Arc::from(&*text), reason, observed_unix_nano);
            mapped.write_to(request)
        }
        Piece::Item { removed, .. } => mapper.encode(origin, &text, removed, observed_unix_nano, request),
    };
    if !valid {
        encoded.degraded.add(INVALID_UTF8);
    }
    (encoded, text.len())
}
