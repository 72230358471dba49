//! What a user writes, and what is checked of it.

use super::Alerts;
use crate::carried::{self, Parse};
use lanner_engine::{
    prelude::*,
    semantics::{FalcoMapper, MappingOptions, falco},
};

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where in a record to look, in this order: `body`, or `body.` and one key of a body that is a map (or the JSON of
    /// one). Everything behind the first dot is the key.
    #[schemars(length(min = 1))]
    pub from: Vec<String>,
    /// How alerts become OpenTelemetry records.
    pub semantics: MappingOptions,
}

impl Default for Config {
    fn default() -> Self {
        Self { from: carried::default_places(), semantics: MappingOptions::default() }
    }
}

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Parse<Alerts>> {
        let places = carried::places(&self.from, cx)?;
        let alerts = Alerts::new(FalcoMapper::new(&self.semantics));
        Some(Parse::new(alerts, places, falco::scope("lanner.processor.falco_parse")))
    }
}
