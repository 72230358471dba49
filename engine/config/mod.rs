//! Configuration: from files, environment and flags to checked plans, every mistake with its place and remedy.
//!
//! The way of a text: `yaml` makes a tree of [`Node`]s that know where they were written; `layers` merges files,
//! environment and flags; `substitute` fills in references; `document` reads the Collector's shape; `check` and
//! `decode` make a component's typed config, through [`PlanCx`]. Whatever is wrong becomes a [`Diagnostic`], and
//! `render` shows it.

mod check;
pub mod codes;
mod decode;
mod delivery;
mod diagnostic;
mod document;
mod file;
mod layers;
mod load;
mod node;
mod overrides;
mod plan_cx;
mod print;
pub mod reference;
pub mod render;
mod scalar;
mod schema;
mod source;
mod split_delivery;
mod substitute;
pub(crate) mod suggest;
#[cfg(test)]
mod tests;
mod trial;
mod types;
mod yaml;

pub use delivery::{
    BatchConfig, DeadLettersConfig, DeliveryConfig, DeliveryDefaults, OnFull, QueueConfig, RetryConfig, Sizer,
};
pub use diagnostic::{Diagnostic, Level, has_errors, sort};
pub use document::{ComponentEntry, Document, PipelineEntry, Reference};
pub use file::{InvalidFile, read_file};
pub use load::{Inputs, Loaded, load};
pub(crate) use node::Path;
pub use node::{Node, NodeKey, NodeValue, Origin};
pub use plan_cx::PlanCx;
pub use print::print_config;
pub use schema::schema;
pub use source::Sources;
pub use trial::{Trial, decode_section, plan_body};
pub use types::{Duration, InvalidDuration, InvalidListenAddress, InvalidPattern, ListenAddress, Pattern, Secret};
pub(crate) use {
    check::SchemaDoc,
    plan_cx::{Claims, Listening, RouteUse, StorageUse, route_pipelines},
};
