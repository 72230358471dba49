//! The values of `event_name`. A rule's name is data, so it never appears here.

/// A Falco alert, or one of rules run inside Lanner.
pub const FALCO_ALERT: &str = "falco.alert";
/// A message of Falco about itself (source `internal`).
pub const FALCO_INTERNAL: &str = "falco.internal";
/// A group of alerts folded by aggregation.
pub const FALCO_ALERT_SUMMARY: &str = "falco.alert.summary";
/// A Kubernetes audit event.
pub const K8S_AUDIT_EVENT: &str = "k8s.audit.event";
/// An incident that was opened, updated or closed.
pub const LANNER_INCIDENT: &str = "lanner.incident";
