//! `AuditOptions`: what a user may choose about the mapping of audit events.

use crate::semantics::MappingVersion;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How Kubernetes audit events become OpenTelemetry records. Receivers embed it under the key `semantics`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditOptions {
    /// Version of the names; a version never changes.
    pub version: MappingVersion,
    /// Longest attribute value, in bytes; longer text is cut at a character boundary. 0 is no limit.
    #[schemars(range(max = 16_777_216))]
    pub max_attribute_bytes: u32,
    /// Most attributes of a record; more are dropped and counted in `dropped_attributes_count`.
    #[schemars(range(min = 16, max = 4096))]
    pub max_attributes: u16,
    /// Resource attribute `service.name`.
    pub service_name: String,
    /// Resource attribute `service.namespace`; empty writes none.
    pub service_namespace: String,
    /// Resource attribute `k8s.cluster.name` for senders whose path names no cluster.
    pub cluster_name: Option<String>,
    /// More attributes: name to JSON pointer into the event, for example
    /// `pod.spec.containers: /requestObject/spec/containers`.
    pub attributes: BTreeMap<String, String>,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            version: MappingVersion::V1,
            max_attribute_bytes: 4096,
            max_attributes: 128,
            service_name: "kube-apiserver".into(),
            service_namespace: String::new(),
            cluster_name: None,
            attributes: BTreeMap::new(),
        }
    }
}
