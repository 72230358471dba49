//! The connectors that Lanner ships: a folder each.

pub mod event_metrics;
pub mod incidents;
pub mod routing;

use lanner_engine::component::Factory;

/// Every connector of this crate.
pub const ALL: &[Factory] = &[
    Factory::connector::<event_metrics::EventMetrics>(),
    Factory::connector::<incidents::Incidents>(),
    Factory::router::<routing::Routing>(),
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
