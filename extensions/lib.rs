//! The extensions that Lanner ships: a folder each.

use lanner_engine::component::Factory;

pub mod file_storage;
pub mod health_check;

/// Every extension of this crate.
pub const ALL: &[Factory] =
    &[Factory::extension::<file_storage::FileStorage>(), Factory::extension::<health_check::HealthCheck>()];
