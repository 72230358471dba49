//! `BuildCx`: what a component gets in its build phase.

use super::ComponentId;
use crate::telemetry::{Health, Telemetry};

/// The surroundings of a component that is being built.
#[derive(Clone)]
pub struct BuildCx {
    pub id: ComponentId,
    /// Own metrics: `cx.telemetry.counter(name, help, labels)`.
    pub telemetry: Telemetry,
    /// How the process and its components are; a component may report its own status.
    pub health: Health,
}
