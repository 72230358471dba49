//! The exporters that Lanner ships: a folder each.

use lanner_engine::{component::Factory, config::DeliveryDefaults};

mod alert_view;
pub mod alertmanager;
pub mod debug;
mod falco_event;
pub mod file;
mod handover;
mod http;
#[cfg(feature = "kafka")]
pub mod kafka;
mod line;
pub mod nats;
pub mod otlp_grpc;
pub mod otlp_http;
mod otlp_reply;
pub mod pagerduty;
mod pause;
pub mod prometheus;
mod shown_text;
pub mod slack;
pub mod sqlite;
#[cfg(test)]
mod testing;
pub mod webhook;

/// Codecs, for the programs in `fuzz/`.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub mod otlp_json {
        pub use crate::file::otlp_json::write_request;
    }
}

/// Every exporter of this crate.
pub const ALL: &[Factory] = &[
    Factory::exporter::<alertmanager::Alertmanager>(DeliveryDefaults::REMOTE),
    Factory::exporter::<debug::Debug>(DeliveryDefaults::LOCAL),
    Factory::exporter::<file::FileSink>(DeliveryDefaults::LOCAL),
    #[cfg(feature = "kafka")]
    Factory::exporter::<kafka::Kafka>(kafka::DELIVERY),
    Factory::exporter::<nats::Nats>(nats::DELIVERY),
    Factory::exporter::<otlp_grpc::OtlpGrpc>(DeliveryDefaults::REMOTE),
    Factory::exporter::<pagerduty::PagerDuty>(pagerduty::DELIVERY),
    Factory::exporter::<prometheus::Prometheus>(DeliveryDefaults::LOCAL),
    Factory::exporter::<slack::Slack>(slack::DELIVERY),
    Factory::exporter::<sqlite::Sqlite>(sqlite::DELIVERY),
    Factory::exporter::<otlp_http::OtlpHttp>(otlp_http::DELIVERY),
    Factory::exporter::<webhook::Webhook>(webhook::DELIVERY),
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
