//! The OTLP codec: logs are written and read directly, traces written; requests of every signal are counted and split by their frame.

mod any;
mod decode;
mod encode;
mod encode_traces;
mod extract;
mod frame;
mod group;
mod lend;
mod one;
mod pass;
mod salvage;
pub mod schema;
mod texts;
pub(crate) mod wire;

#[cfg(test)]
pub(crate) mod tests;

pub use any::MAX_DEPTH;
pub use decode::decode_logs;
pub(crate) use encode::RecordHead;
pub use encode::encode_logs;
pub use encode_traces::encode_traces;
pub use extract::extract_logs;
pub use frame::{count_items, pick, split, split_first};
pub use group::GroupWriter;
pub use lend::LogReader;
pub(super) use lend::{lent_items, lent_value};
pub use one::EncodedScope;
pub(crate) use one::{AttributeBytes, OneRecord, ResourceHead};
pub(crate) use pass::{edit, look};
pub use salvage::{Salvaged, salvage_logs};

use super::Signal;

/// Bytes that are no OTLP export request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an OTLP {signal} request: {what} at byte {offset}")]
pub struct DecodeError {
    pub signal: Signal,
    pub what: &'static str,
    pub offset: usize,
}
