//! The one list of the components that ship with Lanner.

use lanner_engine::component::Factory;

/// Every built-in component, a list for each kind.
pub const BUILT_IN: &[&[Factory]] = &[
    lanner_receivers::ALL,
    lanner_processors::ALL,
    lanner_connectors::ALL,
    lanner_exporters::ALL,
    lanner_extensions::ALL,
];
