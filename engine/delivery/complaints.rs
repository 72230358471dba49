//! What is told about a sink that fails: to the log, and to the health of the process.
//!
//! Promises: a dead sink does not fill the log; an exporter is `StatusRecoverableError` while any of its signals
//! fails, unless it calls the failure permanent itself, and `StatusOK` again once all of them work. Readiness does not depend on it: a restart would not help.

use super::attempts::Destination;
use crate::{
    component::{ComponentId, Kind},
    event::Signal,
    telemetry::{Health, Status},
};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

/// The health of one exporter, shared by its signals.
pub struct SinkHealth {
    health: Health,
    /// As health endpoints show it.
    name: String,
    failing: Mutex<Vec<Signal>>,
}

impl SinkHealth {
    /// The health of the exporter `id`.
    pub fn new(health: Health, id: &ComponentId) -> Self {
        Self { health, name: component_name(Kind::Exporter, id), failing: Mutex::default() }
    }

    fn fails(&self, signal: Signal, why: &str) {
        let mut failing = self.failing.lock();
        if !failing.contains(&signal) {
            failing.push(signal);
        }
        self.health.degrade(&self.name, why);
    }

    fn works(&self, signal: Signal) {
        let mut failing = self.failing.lock();
        failing.retain(|other| *other != signal);
        if failing.is_empty() {
            self.health.report(&self.name, Status::Ok);
        }
    }
}

/// How the health of the process names a component: `exporter:otlp_grpc/tempo`.
pub fn component_name(kind: Kind, id: &ComponentId) -> String {
    format!("{}:{id}", kind.as_str())
}

/// Log lines and health of one signal of a sink. Logged are the first failure, then every 2^n-th, then the success.
pub(super) struct Complaints {
    destination: Arc<Destination>,
    signal: Signal,
    failures: AtomicU32,
    /// Whether the health knows of a failure.
    unwell: AtomicBool,
}

impl Complaints {
    pub fn new(destination: Arc<Destination>, signal: Signal) -> Self {
        Self { destination, signal, failures: AtomicU32::new(0), unwell: AtomicBool::new(false) }
    }

    /// An attempt failed and is repeated after `delay`.
    pub fn about(&self, why: &str, delay: Duration) {
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        if failures.is_power_of_two() {
            tracing::warn!(
                exporter = %self.destination.id, reason = %why, interval = ?delay, failures,
                "Exporting failed. Will retry the request after interval."
            );
        }
        self.dropped(why);
    }

    /// An attempt failed and is not repeated. The caller logs it, with what was lost.
    pub fn dropped(&self, why: &str) {
        self.unwell.store(true, Relaxed);
        self.destination.health.fails(self.signal, why);
    }

    /// An attempt succeeded.
    pub fn over(&self) {
        if !self.unwell.load(Relaxed) || !self.unwell.swap(false, Relaxed) {
            return;
        }
        self.destination.health.works(self.signal);
        let failures = self.failures.swap(0, Relaxed);
        if failures > 0 {
            tracing::info!(exporter = %self.destination.id, failures, "Exporting works again.");
        }
    }
}
