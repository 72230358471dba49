//! What the receiver counts beside the engine's ledger.

use lanner_engine::{
    component::BuildCx,
    telemetry::{Counter, Telemetry},
};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// One metric with a label `reason`. Reasons are constants of the program, so the number of series is bounded.
/// The lock is taken only for what is out of the ordinary.
pub(crate) struct ByReason {
    telemetry: Telemetry,
    name: &'static str,
    help: &'static str,
    unit: &'static str,
    receiver: String,
    cells: Mutex<BTreeMap<&'static str, Counter>>,
}

impl ByReason {
    pub(crate) fn new(cx: &BuildCx, name: &'static str, help: &'static str, unit: &'static str) -> Self {
        let (telemetry, receiver) = (cx.telemetry.clone(), cx.id.to_string());
        Self { telemetry, name, help, unit, receiver, cells: Mutex::default() }
    }

    pub(crate) fn add(&self, reason: &'static str, amount: usize) {
        let mut cells = self.cells.lock();
        let cell = cells.entry(reason).or_insert_with(|| {
            let labels = [("receiver", self.receiver.as_str()), ("reason", reason)];
            self.telemetry.counter(self.name, self.help, self.unit, &labels)
        });
        cell.add(amount as u64);
    }
}
