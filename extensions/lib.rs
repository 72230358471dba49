//! The extensions that Lanner ships: a folder each.

use lanner_engine::component::Factory;

pub mod health_check;

/// Every extension of this crate.
pub const ALL: &[Factory] = &[Factory::extension::<health_check::HealthCheck>()];
