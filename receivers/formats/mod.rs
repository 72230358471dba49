//! What the lines of files and streams mean.
//!
//! Promises
//! - A line that is an event becomes the record that the same event would become over the network, with the same id.
//! - Every other line becomes a plain record or is counted with the reason it was left out for.
//! - Bytes that are no UTF-8 are replaced and counted; no line is refused for them.
//! - A plain record's `log.record.uid` is the same whenever its line is read again, whatever the file is called by then.
//!
//! A blank line holds nothing and becomes nothing.

mod audit;
mod json;
mod mapper;
mod options;
mod records;
#[cfg(test)]
mod tests;

pub use mapper::{Mapper, Source};
pub use options::{Format, NonJson, Options, Semantics};
pub use records::Records;
