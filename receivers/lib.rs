//! The receivers that Lanner ships: a folder each.

#[cfg(test)]
mod conformance;
mod counters;
pub mod docker_logs;
pub mod falco_http;
pub mod generator;
pub mod k8s_audit;
pub mod otlp;

use lanner_engine::component::Factory;

/// Every receiver of this crate.
pub const ALL: &[Factory] = &[
    Factory::receiver::<docker_logs::DockerLogs>(),
    Factory::receiver::<falco_http::FalcoHttp>(),
    Factory::receiver::<generator::Generator>(),
    Factory::receiver::<k8s_audit::K8sAudit>(),
    Factory::receiver::<otlp::Otlp>(),
];
