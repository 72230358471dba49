//! What receivers of requests count beside the engine's ledger: the same three metrics for each of them.

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
    /// Oddities of events that were kept.
    pub(crate) fn degraded(cx: &BuildCx) -> Self {
        let help = "Oddities of events that were kept all the same, by reason.";
        Self::new(cx, "lanner_receiver_degraded", help, "{event}")
    }

    /// Input that is no event and was kept as plain records.
    pub(crate) fn unusable(cx: &BuildCx) -> Self {
        let help = "Pieces of input that are no event and were kept as plain log records, by reason.";
        Self::new(cx, "lanner_receiver_unusable", help, "{record}")
    }

    /// Requests that were not kept.
    pub(crate) fn lost(cx: &BuildCx) -> Self {
        let help = "Requests that were not kept, or not to their end, by reason; a sender that does not repeat them has lost them.";
        Self::new(cx, "lanner_receiver_lost_requests", help, "{request}")
    }

    fn new(cx: &BuildCx, name: &'static str, help: &'static str, unit: &'static str) -> Self {
        let (telemetry, receiver) = (cx.telemetry.clone(), cx.id.to_string());
        Self { telemetry, name, help, unit, receiver, cells: Mutex::default() }
    }

    /// Counts `amount` for a reason.
    pub(crate) fn add(&self, reason: &'static str, amount: usize) {
        let mut cells = self.cells.lock();
        let cell = cells.entry(reason).or_insert_with(|| {
            let labels = [("receiver", self.receiver.as_str()), ("reason", reason)];
            self.telemetry.counter(self.name, self.help, self.unit, &labels)
        });
        cell.add(amount as u64);
    }
}
