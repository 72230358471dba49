//! The receivers that Lanner ships: a folder each.

#[cfg(test)]
mod conformance;
mod container;
mod counters;
pub mod docker_logs;
pub mod falco_grpc;
pub mod falco_http;
pub mod file_log;
mod formats;
pub mod generator;
pub mod k8s_audit;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod nats;
pub mod otlp;
mod requests;
mod size;
pub mod stdin;
#[cfg(test)]
mod testing;

use lanner_engine::component::Factory;

/// Parsers of untrusted bytes, for the programs in `fuzz/`.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub mod docker_logs {
        pub use crate::{
            container::{Joiner, Line},
            docker_logs::framing::{Damaged, Decoder, Event},
        };
    }
    pub mod k8s_audit {
        pub use crate::k8s_audit::split::{Piece, Splitter};
    }
    pub mod otlp_json {
        pub use crate::otlp::json::to_protobuf;
    }
}

/// Every receiver of this crate.
pub const ALL: &[Factory] = &[
    Factory::receiver::<docker_logs::DockerLogs>(),
    Factory::receiver::<falco_grpc::FalcoGrpc>(),
    Factory::receiver::<falco_http::FalcoHttp>(),
    Factory::receiver::<file_log::FileLog>(),
    Factory::receiver::<generator::Generator>(),
    Factory::receiver::<k8s_audit::K8sAudit>(),
    #[cfg(feature = "kafka")]
    Factory::receiver::<kafka::Kafka>(),
    Factory::receiver::<nats::Nats>(),
    Factory::receiver::<otlp::Otlp>(),
    Factory::receiver::<stdin::Stdin>(),
];

#[cfg(test)]
mod tests {
    /// Scenario: somebody adds, renames or documents a key of a component's configuration.
    /// Guarantee: the table in its README is the one that the schema makes; `LANNER_BLESS=1` writes it anew.
    #[test]
    fn readme_tables_are_current() {
        lanner_engine::testing::check_readmes(super::ALL, env!("CARGO_MANIFEST_DIR"));
    }
}
