//! Lanner's own telemetry: metric cells here; logs, traces and their export beside them.

mod cells;
mod health;

pub use cells::{Counter, Gauge, Metric, MetricKind, Telemetry};
pub use health::{Health, Phase, Status};
