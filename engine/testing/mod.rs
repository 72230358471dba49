//! For authors of components: ends of a pipeline that tests can look into.
//!
//! - [`Capture`] stands behind a receiver or a stage and can be told to be busy, draining, or stuck.
//! - [`TransformTest`] runs records through a processor planned from YAML.
//! - [`RouterTest`] does the same with a connector that routes.
//! - [`receiver`] is the conformance kit of receivers: what every one of them must do, a test for each row.
//! - [`planning`] runs a plan phase without a configuration file.
//! - [`log`] builds records; [`read_of`] leaves of one what somebody reads.
//! - [`MemoryStorage`] is a storage extension that outlives a component under test.
//! - [`check_readmes`] compares the configuration tables of READMEs with the schemas.

mod capture;
mod plan;
mod readme;
pub mod receiver;
mod records;
mod router;
mod storage;
mod transform;

pub use capture::{Capture, Mood};
pub use plan::planning;
pub use readme::check_readmes;
pub use records::{LogBuilder, log, read_of};
pub use router::{Routed, RouterTest};
pub use storage::MemoryStorage;
pub use transform::{TransformTest, Transformed};
