//! Prometheus exposition: one small model, two formats.
//!
//! Promises: whatever names and values come in, what goes out is valid text format 0.0.4 or OpenMetrics 1.0: names
//! are sanitised ([`names`]), every text is escaped, each family appears once, no series twice. Used by the
//! `prometheus` exporter (OTLP in, [`otlp`]) and by Lanner's own metrics endpoint ([`own`]).

mod family;
pub mod names;
mod negotiate;
pub mod otlp;
mod own;
#[cfg(test)]
mod tests;
mod write;

pub use family::{Family, Kind, Labels, Number, Point, Series};
pub use negotiate::Format;
pub use own::own_metrics;
pub use write::write;
