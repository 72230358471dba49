//! The connectors that Lanner ships: a folder each.

use lanner_engine::component::Factory;

/// Every connector of this crate.
pub const ALL: &[Factory] = &[];
