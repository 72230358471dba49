//! Lanner's own telemetry: metric cells ([`Telemetry`]), and what becomes of them and of the log ([`start`]).
//!
//! Cells are updated on the hot path and know nothing of exporters. Everything else is configured by
//! `service.telemetry` ([`TelemetryConfig`]), with the Collector's keys: a log as lines and over OTLP, metrics
//! scraped and over OTLP, traces over OTLP. `metrics.level: none` opens no port and sends nothing.

mod cache_line;
mod cells;
mod config;
mod health;
mod histogram;
mod lines;
mod metrics;
mod otlp;
mod process;
mod running;
mod subscriber;
#[cfg(test)]
mod tests;

pub(crate) use cache_line::{CacheLine, STRIPES, stripe};
pub use cells::{Counter, Gauge, Metric, MetricKind, Telemetry, UpDownCounter};
pub use config::{TelemetryConfig, TelemetryPlan};
pub use health::{Health, Phase, Status};
pub use histogram::{Distribution, Histogram};
pub use running::{FLUSH, Running, start};
