//! The processors that Lanner ships: a folder each.

use lanner_engine::component::Factory;

pub mod aggregate;
pub mod attributes;
mod carried;
pub mod categorize;
mod digest;
pub mod falco_parse;
pub mod falco_rules;
pub mod filter;
mod globs;
pub mod k8s_audit_parse;
pub mod redact;
#[cfg(test)]
mod testing;

/// Every processor of this crate.
pub const ALL: &[Factory] = &[
    Factory::transform::<attributes::AttributesProcessor>(),
    Factory::built_transform::<categorize::Categorize>(),
    Factory::stage::<aggregate::Aggregate>(),
    Factory::transform::<falco_parse::FalcoParse>(),
    Factory::built_transform::<falco_rules::FalcoRules>(),
    Factory::transform::<filter::Filter>(),
    Factory::transform::<k8s_audit_parse::K8sAuditParse>(),
    Factory::transform::<redact::Redact>(),
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
