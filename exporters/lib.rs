//! The exporters that Lanner ships: a folder each.

use lanner_engine::component::Factory;

/// Every exporter of this crate.
pub const ALL: &[Factory] = &[];
