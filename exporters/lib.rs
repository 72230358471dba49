//! The exporters that Lanner ships: a folder each.

pub mod prometheus;

use lanner_engine::{component::Factory, config::DeliveryDefaults};

/// Every exporter of this crate.
pub const ALL: &[Factory] = &[Factory::exporter::<prometheus::Prometheus>(DeliveryDefaults::LOCAL)];
