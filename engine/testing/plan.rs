//! `planning`: the plan phase of one component without a configuration file.

use crate::config::{Diagnostic, Node, PlanCx};

/// Runs `plan` with a context of its own and returns what it made and what it reported.
pub fn planning<T>(plan: impl FnOnce(&mut PlanCx<'_>) -> T) -> (T, Vec<Diagnostic>) {
    let body = Node::default();
    let mut findings = Vec::new();
    let planned = plan(&mut PlanCx { body: &body, findings: &mut findings });
    (planned, findings)
}
