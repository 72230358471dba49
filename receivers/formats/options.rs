//! What a user chooses about lines. The keys are the same in every receiver of lines.

use super::Mapper;
use crate::container::Wrapping;
use lanner_engine::{
    prelude::*,
    semantics::{AuditMapper, AuditOptions, FalcoMapper, MappingOptions},
};

/// What a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// An alert as Falco prints it with `json_output: true`.
    Falco,
    /// A Kubernetes audit event or EventList, as the API server writes it with `--audit-log-path`.
    K8sAudit,
    /// A JSON object; it becomes the body of the record.
    Json,
    /// Text; it becomes the body of the record.
    #[default]
    Text,
}

/// What becomes of lines that are no event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NonJson {
    /// Left out and counted.
    #[default]
    Skip,
    /// Passed on as plain log records.
    Keep,
}

/// How events become records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Semantics {
    /// For `format: falco`.
    pub falco: MappingOptions,
    /// For `format: k8s_audit`.
    pub k8s_audit: AuditOptions,
}

/// The keys that are about lines, out of a receiver's configuration.
#[derive(Clone, Debug)]
pub struct Options {
    pub format: Format,
    pub container: Wrapping,
    /// Unset: `skip` for Falco, whose own messages stand between the alerts, `keep` for JSON.
    pub non_json: Option<NonJson>,
    pub semantics: Semantics,
    /// Longest line in bytes.
    pub max_line: usize,
    /// Scope of plain records.
    pub scope: &'static str,
}

impl Options {
    /// Checks the choice and makes the mapper.
    pub fn check(&self, cx: &mut PlanCx<'_>) -> Option<Mapper> {
        let Semantics { falco, k8s_audit } = &self.semantics;
        let (format, defaults) = (self.format, Semantics::default());
        if format != Format::Falco && *falco != defaults.falco {
            cx.warning("semantics.falco", Unused { key: "semantics.falco", format: "falco" });
        }
        if format != Format::K8sAudit && *k8s_audit != defaults.k8s_audit {
            cx.warning("semantics.k8s_audit", Unused { key: "semantics.k8s_audit", format: "k8s_audit" });
        }
        if self.non_json.is_some() && matches!(format, Format::K8sAudit | Format::Text) {
            cx.warning("non_json", NothingToSkip);
        }
        // Looked at for every format: a pointer that leads nowhere is a mistake even while nobody uses it.
        let audit =
            AuditMapper::new(k8s_audit).map_err(|error| cx.error("semantics.k8s_audit.attributes", error)).ok()?;
        Some(match format {
            Format::Falco => Mapper::falco(FalcoMapper::new(falco), self),
            Format::K8sAudit => Mapper::k8s_audit(audit, self),
            Format::Json => Mapper::json(self),
            Format::Text => Mapper::text(self),
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`{key}` has no effect with this `format`; write `format: {format}`, or leave it out")]
struct Unused {
    key: &'static str,
    format: &'static str,
}

#[derive(Debug, thiserror::Error)]
#[error("`non_json` has no effect with this `format`, which keeps every line; leave it out")]
struct NothingToSkip;
