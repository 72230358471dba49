//! The fields of system call events, so that rules for them can be checked.
//!
//! Lanner has no source of such events; whoever has one gives [`Fields`](crate::evaluate::Fields) for this schema.
//! The types follow Falco 0.44: they decide which operators fit and how right sides are read.

mod events;
mod fields;

pub use events::names as event_names;

use crate::schema::Catalog;

/// The schema of the source `syscall`.
pub fn schema() -> Catalog {
    Catalog::new(fields::rows()).with_values("evt.type", "event type", event_names()).with_values(
        "syscall.type",
        "event type",
        event_names(),
    )
}
