//! `planning`: the plan phase of one component without a configuration file.

use crate::{
    component::Kind,
    config::{Diagnostic, Node, PlanCx},
};

/// Runs `plan` with a context of its own and returns what it made and what it reported.
pub fn planning<T>(plan: impl FnOnce(&mut PlanCx<'_>) -> T) -> (T, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let planned = PlanCx::detached(Kind::Processor, &Node::default(), &mut findings, plan);
    (planned, findings)
}
