//! `k8s_audit_parse` makes audit events of log records whose body is one: JSON as a file tailer reads it from the API
//! server's audit log, or the map that an agent made of it.
//!
//! Promises: an event becomes the record that `k8s_audit` would have made of it, with the same id where the body is the
//! text that the API server wrote; what upstream said about it stays, as `lanner_engine::semantics::carried` tells;
//! everything else passes byte for byte, and nothing is left out.

mod config;
#[cfg(test)]
mod tests;

use crate::carried::{Events, Parse};
use config::Config;
use lanner_engine::{
    prelude::*,
    semantics::{
        AuditMapper, audit,
        carried::{Event, Form, Reading},
        keys,
    },
};
use memchr::memmem::Finder;
use std::sync::Arc;

/// The component type.
pub struct K8sAuditParse;

impl Component for K8sAuditParse {
    const TYPE: &'static str = "k8s_audit_parse";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Parse<AuditEvents>;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Self::Plan> {
        config.check(cx)
    }
}

/// Audit events in the records of other agents.
pub struct AuditEvents {
    mapper: AuditMapper,
    words: [Finder<'static>; 1],
}

impl AuditEvents {
    fn new(mapper: AuditMapper) -> Self {
        Self { mapper, words: [Finder::new("auditID")] }
    }
}

impl Events for AuditEvents {
    fn words(&self) -> &[Finder<'static>] {
        &self.words
    }

    /// The cluster that upstream names is part of the id, as that of the path is for the receiver.
    fn read(&self, upstream: &Resource, form: &Form<'_>, observed_unix_nano: u64) -> Reading<Event> {
        let origin = self.mapper.origin(upstream.attrs.get_str(&keys::CLUSTER_NAME));
        match self.mapper.map_carried(&origin, form, observed_unix_nano) {
            Reading::Event(mapped) => Reading::Event(Event {
                resource: Arc::clone(origin.resource()),
                record: mapped.record,
                degraded: mapped.degraded,
            }),
            Reading::Damaged => Reading::Damaged,
            Reading::Foreign => Reading::Foreign,
        }
    }

    fn is_key(name: &str) -> bool {
        audit::is_key(name)
    }
}
