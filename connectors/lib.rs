//! The connectors that Lanner ships: a folder each.

pub mod event_metrics;

use lanner_engine::component::Factory;

/// Every connector of this crate.
pub const ALL: &[Factory] = &[Factory::connector::<event_metrics::EventMetrics>()];
