//! `BuildCx`: what a component gets in its build phase.

use super::ComponentId;
use crate::telemetry::Telemetry;

/// The surroundings of a component that is being built.
#[derive(Clone)]
pub struct BuildCx {
    pub id: ComponentId,
    /// Own metrics: `cx.telemetry.counter(name, help, labels)`.
    pub telemetry: Telemetry,
    pub health: crate::telemetry::Health,
}
