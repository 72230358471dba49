//! Kubernetes audit events: the fields `ka.*`, `jevt.*` and `json.*`.
//!
//! Promises: an event is read as far as rules ask and no further; each field is looked up at most once per event; a
//! value that is a string in the JSON is used where it stands. Whatever the JSON is, nothing panics; what is not there
//! or has another shape is missing.
//!
//! An [`AuditPlan`] knows, for the fields of a compiled program, where they are; an [`AuditEvent`] is one event seen
//! through it. Objects are split into their members when something in them is asked for first (`json`): most events
//! are decided by their stage, verb and resource, and their large objects are skipped once and never looked at.
//!
//! The values follow the plugins k8saudit 0.18 and json 0.7. Mistakes of those plugins are corrected
//! ([`Parity::Corrected`]) or kept ([`Parity::Upstream`]); the README lists them.

mod event;
mod extract;
mod fields;
pub(crate) mod json;
mod pod;
mod query;
mod text;

#[cfg(test)]
mod tests;

pub use event::{AuditEvent, AuditPlan, Meta, NotJson, Parity};
pub use fields::schema;

/// The name of the source.
pub const SOURCE: &str = "k8s_audit";
