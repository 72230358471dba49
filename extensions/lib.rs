//! The extensions that Lanner ships: a folder each.

use lanner_engine::component::Factory;

/// Every extension of this crate.
pub const ALL: &[Factory] = &[];
