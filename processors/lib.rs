//! The processors that Lanner ships: a folder each.

use lanner_engine::component::Factory;

/// Every processor of this crate.
pub const ALL: &[Factory] = &[];
