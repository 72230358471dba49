//! Falco's alerts: written for what rules find, and read as events for rules over alerts.
//!
//! Promises: an [`Alert`] is serialized as Falco writes it: the same keys in the same order, times in `output_fields` as
//! integers, `null` for what is missing. An [`AlertEvent`] has the fields that its `output_fields` name, with the types
//! of the source `syscall`, and three more: `security_rule.name`, `falco.priority` and `falco.tags`. What is not there
//! or cannot be read as its type is missing; nothing panics.
//!
//! Rules over alerts see what the first rules wrote out, not the event: a field that no output mentions is missing.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{AlertEvent, AlertPlan, NotAlert, schema};
pub use write::Alert;

/// The source of an alert that does not name one.
pub const SOURCE: &str = "syscall";
