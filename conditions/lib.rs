//! The Falco condition language over log records: one language for `condition:` in every component.
//!
//! Promises: a condition that compiles asks a record only for fields that can exist, and what is misspelt is an error with
//! its column and the nearest name; evaluation allocates nothing once a thread is warm; a check of a missing field is
//! false, `!=` too, as in Falco.
//!
//! Fields are named as Falco names them (`proc.name`, `k8s.ns.name`, `ka.verb`) or as OpenTelemetry does
//! (`k8s.namespace.name`), and a few have short names (`rule`, `priority`, `tags`, `source`, `output`); the README has
//! the list. [`schema`] knows the names, [`access`] where each is in a record, [`seen`] reads it.

mod access;
mod arena;
mod condition;
mod config;
mod fields;
mod names;
mod problem;
mod schema;
mod seen;
mod template;
#[cfg(test)]
mod tests;
mod value;

pub use access::Access;
pub use arena::with_arena;
pub use condition::Condition;
pub use config::{ConditionConfig, FieldConfig, TemplateConfig};
pub use fields::{Field, FieldList};
pub use problem::Problem;
pub use schema::{RecordSchema, record_schema};
pub use seen::{Seen, SeenFields};
pub use template::Template;
pub use value::to_owned;

#[cfg(doctest)]
#[doc = include_str!("README.md")]
struct Readme;
