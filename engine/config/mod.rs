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
mod node;
mod plan_cx;
pub mod render;
mod scalar;
mod source;
mod split_delivery;
mod suggest;
#[cfg(test)]
mod tests;
mod trial;
mod types;
mod yaml;

pub use delivery::{BatchConfig, DeliveryConfig, DeliveryDefaults, QueueConfig, RetryConfig, Sizer};
pub use diagnostic::{Diagnostic, Level, has_errors, sort};
pub use node::{Node, NodeKey, NodeValue, Origin};
pub use plan_cx::PlanCx;
pub use source::Sources;
pub use trial::{Trial, decode_section, plan_body};
pub use types::{Duration, InvalidDuration, InvalidListenAddress, InvalidPattern, ListenAddress, Pattern, Secret};
