//! The events that Lanner is measured with, for all who measure: `lanner-bench` (CPU time) and `lanner-instructions`.

pub mod payload;
pub mod protobuf;

/// Whatever went wrong, to be told.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
