//! What a user writes, and what is checked of it.

use super::AuditEvents;
use crate::carried::{self, Parse};
use lanner_engine::{
    prelude::*,
    semantics::{AuditMapper, AuditOptions, scope},
};

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where in a record to look, in this order: `body`, or `body.` and one key of a body that is a map (or the JSON of
    /// one). Everything behind the first dot is the key.
    #[schemars(length(min = 1))]
    pub from: Vec<String>,
    /// How events become OpenTelemetry records.
    pub semantics: AuditOptions,
}

impl Default for Config {
    fn default() -> Self {
        Self { from: carried::default_places(), semantics: AuditOptions::default() }
    }
}

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Parse<AuditEvents>> {
        let places = carried::places(&self.from, cx);
        let mapper = AuditMapper::new(&self.semantics).map_err(|error| cx.error("semantics.attributes", error)).ok();
        Some(Parse::new(AuditEvents::new(mapper?), places?, scope("lanner.processor.k8s_audit_parse")))
    }
}
