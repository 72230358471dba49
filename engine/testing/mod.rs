//! For authors of components: ends of a pipeline that tests can look into.
//!
//! - [`Capture`] stands behind a receiver or a stage and can be told to be busy, draining, or stuck.
//! - [`TransformTest`] runs records through a processor planned from YAML.
//! - [`planning`] runs a plan phase without a configuration file.
//! - [`log`] builds records.

mod capture;
mod plan;
mod records;
pub mod receiver;
mod transform;

pub use capture::{Capture, Mood};
pub use plan::planning;
pub use records::{LogBuilder, log};
pub use transform::{TransformTest, Transformed};
