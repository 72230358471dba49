//! What the splitter finds becomes records.

use super::split::Piece;
use lanner_engine::semantics::{
    AuditMapper,
    audit::{Item, Mapped, Origin},
};
use std::sync::Arc;

/// Makes the record of a piece; also says how many bytes of text it may keep in memory.
pub(crate) fn map(
    mapper: &AuditMapper,
    origin: &Origin,
    piece: &Piece<'_>,
    observed_unix_nano: u64,
) -> (Mapped, usize) {
    let (bytes, broken, removed) = match *piece {
        Piece::Item { bytes, removed } => (bytes, None, removed),
        Piece::Broken { bytes, reason } => (bytes, Some(reason), None),
    };
    let valid = std::str::from_utf8(bytes);
    let text: Arc<str> = match valid {
        Ok(text) => text.trim_end().into(),
        Err(_) => String::from_utf8_lossy(bytes).trim_end().into(),
    };
    let mut mapped = match broken {
        Some(reason) => mapper.plain(origin, &text, reason, observed_unix_nano),
        None => mapper.map(origin, Item { text: &text, removed }, observed_unix_nano),
    };
    if valid.is_err() {
        mapped.degraded.add("invalid_utf8");
    }
    (mapped, text.len())
}
