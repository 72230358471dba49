//! The receivers that Lanner ships: a folder each.

use lanner_engine::component::Factory;

/// Every receiver of this crate.
pub const ALL: &[Factory] = &[];
