//! How security events are named: the mapping `v1` of `docs/mapping.md`.
//!
//! Promises: one table ([`falco::table`]) makes the mapping, its reference page and its tests; a name or type of
//! `v1` never changes; field values are data and never become names; whatever arrives is kept, as an alert or as
//! a plain record, and whatever was odd about it is counted under a constant reason.

pub mod audit;
pub mod carried;
pub mod category;
#[cfg(test)]
#[path = "../../tests/support/data.rs"]
mod data;
pub mod event_names;
pub mod falco;
pub mod keys;
mod options;
mod recognise;
pub mod secrets;
mod sink;
mod summary;
pub mod tags;
pub mod threat;
pub mod uid;

pub use audit::{AuditMapper, AuditOptions};
pub use falco::{AlertParts, FalcoMapper, Mapped, scope, to_rfc3339};
pub use options::{MappingOptions, MappingVersion, Preserve};
pub use recognise::{is_alert, is_audit, is_internal, priority, priority_of, recognised_by};
pub use summary::{Reasons, Summary};

/// The schema URL of every scope that Lanner writes.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";
