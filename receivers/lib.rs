//! The receivers that Lanner ships: a folder each.

pub mod docker_logs;

use lanner_engine::component::Factory;

/// Every receiver of this crate.
pub const ALL: &[Factory] = &[Factory::receiver::<docker_logs::DockerLogs>()];
