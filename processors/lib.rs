//! The processors that Lanner ships: a folder each.

use lanner_engine::component::Factory;

pub mod filter;

/// Every processor of this crate.
pub const ALL: &[Factory] = &[Factory::transform::<filter::Filter>()];
