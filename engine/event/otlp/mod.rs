//! The OTLP codec: logs are written and read directly, traces written; requests of every signal are counted and split by their frame.

mod decode;
mod encode;
mod encode_traces;
mod extract;
mod frame;
mod salvage;
pub mod schema;
pub(crate) mod wire;

#[cfg(test)]
pub(crate) mod tests;

pub use decode::{MAX_DEPTH, decode_logs};
pub use encode::encode_logs;
pub use encode_traces::encode_traces;
pub use extract::extract_logs;
pub use frame::{count_items, pick, split, split_first};
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
