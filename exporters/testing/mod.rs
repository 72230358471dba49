//! What the exporters' tests share: a scripted sink on a real socket, requests, certificates.

mod alerts;
mod certificates;
#[path = "../../tests/support/data.rs"]
pub mod data;
#[path = "../../tests/support/fault_proxy.rs"]
#[allow(dead_code, reason = "these tests need some of its faults")]
pub mod fault_proxy;
#[path = "../../tests/support/port.rs"]
pub mod port;
mod requests;
mod scratch;
mod sink;

pub use alerts::{alert_request, alerts, broken_request, falco, hostile, hostile_each, records, request_of};
pub use certificates::Authority;
pub use requests::{logs, metrics, traces};
pub use scratch::Scratch;
pub use sink::{Answer, Sink, Stuck, answer, body, cut_body, endless_body};

use lanner_engine::prelude::*;

/// The build context of an exporter under test.
pub fn build_cx() -> BuildCx {
    BuildCx::new(Kind::Exporter, "test/exporter".parse().unwrap(), Default::default(), Default::default())
}

/// The value of an unlabelled-but-for-exporter counter.
pub fn counted(cx: &BuildCx, name: &str) -> i64 {
    cx.telemetry.snapshot().iter().filter(|metric| metric.name == name).flat_map(|m| &m.series).map(|(_, v)| v).sum()
}
