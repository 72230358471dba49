//! The conformance kit of receivers: what every receiver must do, whatever it speaks.
//!
//! - [`push`]: somebody waits for an answer. Its rows are the status table and what bad senders do.
//! - [`pull`]: the receiver fetches, and nobody waits.

mod client;
mod clock;
mod macros;
pub mod pull;
pub mod push;
mod running;
pub mod table;

pub use client::{Answer, Closed};
pub use clock::Clock;
pub use running::{Place, Running};
