//! The conformance kit of receivers: what every receiver must do, whatever it speaks.
//!
//! An author describes a receiver once, and one line makes a test of every row, so that a failure names the row it broke:
//!
//! - [`push`]: somebody waits for an answer. Its rows are the status table (taken, some invalid, busy, draining, invalid, lost)
//!   and what bad senders do: too large, too deep, bombs, slowloris, hanging up, noise.
//! - [`pull`]: the receiver fetches, and nobody waits. Its rows are the same table from the other side.
//! - [`table`]: the status table as a page for users, made of the same descriptions.
//!
//! ```text
//! fn subject() -> PushSubject {
//!     PushSubject {
//!         title: "`mailbox`",
//!         factory: Factory::receiver::<Mailbox>(),
//!         config: |place| format!("{{endpoint: 'localhost:{}'}}", place.port),
//!         one: Case::new("hello", Expect::taken("200", 1)),
//!         busy: Expect::refused("503, Retry-After: 1", "busy", 0),
//!         // ... a field for every row
//!     }
//! }
//!
//! lanner_engine::push_receiver_conformance!(subject);
//! ```
//!
//! `engine/tests/receiver_conformance/` is a whole example, and shows that each row notices the fault it is about;
//! `receivers/conformance/` describes the receivers that Lanner ships.

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
