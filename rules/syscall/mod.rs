//! The fields of system call events, so that rules for them can be checked.
//!
//! Lanner has no source of such events; whoever has one gives [`Fields`](crate::evaluate::Fields) for this schema.
//! The types follow Falco 0.44: they decide which operators fit and how right sides are read.

mod events;
mod fields;

pub use events::names as event_names;

use crate::schema::{Catalog, Row};

/// The schema of the source `syscall`.
pub fn schema() -> Catalog {
    schema_with([])
}

/// The same with more fields.
pub fn schema_with(more: impl IntoIterator<Item = Row>) -> Catalog {
    let mut schema = Catalog::new(fields::rows().chain(more));
    for name in ["evt.type", "syscall.type"] {
        schema = schema.with_values(name, "event type", event_names());
    }
    schema
}
