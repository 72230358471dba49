//! `MappingOptions`: what a user may choose about the mapping.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How events become OpenTelemetry records. Receivers embed it under the key `semantics`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MappingOptions {
    /// Version of the names; what a version says never changes.
    pub mapping: MappingVersion,
    /// Keep the JSON text of every alert in `log.record.original` (cut at `max_attribute_bytes`).
    pub keep_original: bool,
    /// Replace secrets that are recognised by their shape, such as `--password=x` and `https://user:x@host`, in command lines,
    /// in the message that repeats them and in all other text of an alert's fields.
    pub redact_command_lines: bool,
    /// Which output fields are kept under `falco.output_fields.<field>`.
    pub preserve: Preserve,
    /// Longest attribute value, in bytes; longer text is cut at a character boundary. 0 is no limit.
    #[schemars(range(max = 16_777_216))]
    pub max_attribute_bytes: u32,
    /// Most attributes of a record; more are dropped and counted in `dropped_attributes_count`.
    /// The first dozen, which make an alert recognisable, are always kept.
    #[schemars(range(min = 16, max = 4096))]
    pub max_attributes: u16,
    /// Resource attribute `service.name`.
    pub service_name: String,
    /// Resource attribute `service.namespace`; empty writes none.
    pub service_namespace: String,
    /// Resource attribute `k8s.cluster.name`, for example `prod-eu-1`.
    pub cluster_name: Option<String>,
}

impl Default for MappingOptions {
    fn default() -> Self {
        Self {
            mapping: MappingVersion::V1,
            keep_original: false,
            redact_command_lines: true,
            preserve: Preserve::Unmapped,
            max_attribute_bytes: 4096,
            max_attributes: 128,
            service_name: "falco".into(),
            service_namespace: "runtime-security".into(),
            cluster_name: None,
        }
    }
}

/// Version of the mapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MappingVersion {
    /// The names of `docs/mapping.md`.
    #[default]
    V1,
}

impl MappingVersion {
    /// The word in the configuration and in the scope attribute `lanner.mapping`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
        }
    }
}

/// Which output fields are kept under their own names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preserve {
    /// Those the mapping has no other name for.
    #[default]
    Unmapped,
    /// Every one, also those that have another name.
    All,
    /// Unmapped fields are left out.
    None,
}
