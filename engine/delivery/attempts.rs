//! One attempt to export: its time limit, its panics, its counters.
//!
//! Promise: a panic of an exporter costs one attempt, not the process.

use super::{
    circuit::Circuit,
    complaints::{Complaints, SinkHealth},
};
use crate::{
    component::{ComponentId, Drain, Exporter, Outcome, Request},
    config::DeliveryConfig,
    event::Signal,
    telemetry::{Counter, Telemetry, UpDownCounter},
};
use futures_util::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::AtomicBool},
};
use tokio::sync::Semaphore;

/// An exporter with what the engine knows about it.
pub struct Destination {
    pub id: ComponentId,
    pub exporter: Arc<dyn Exporter>,
    pub delivery: DeliveryConfig,
    pub health: SinkHealth,
}

/// The attempts of one exporter for one signal: shared by the queued and the direct way.
pub(super) struct Attempts {
    pub destination: Arc<Destination>,
    /// Whether attempts leave as they come.
    pub circuit: Circuit,
    /// Whether the sink takes anything at all, as far as is known.
    pub trust: AtomicBool,
    sent: Counter,
    send_failed: Counter,
    /// What is told about failures.
    pub complaints: Complaints,
    /// As many as may be in flight: a request that was split has more parts than that.
    pub slots: Semaphore,
    in_flight: UpDownCounter,
    panics: Counter,
    /// Given once something was left on disk for the next run.
    pub left_behind: Drain,
}

impl Attempts {
    pub fn new(destination: Arc<Destination>, signal: Signal, telemetry: &Telemetry) -> Self {
        let id = destination.id.as_str().to_owned();
        let label = [("exporter", id.as_str())];
        let (sent, failed) = match signal {
            Signal::Logs => ("otelcol_exporter_sent_log_records", "otelcol_exporter_send_failed_log_records"),
            Signal::Metrics => ("otelcol_exporter_sent_metric_points", "otelcol_exporter_send_failed_metric_points"),
            Signal::Traces => ("otelcol_exporter_sent_spans", "otelcol_exporter_send_failed_spans"),
        };
        Self {
            circuit: Circuit::new(&destination.delivery.retry_on_failure, &id, signal, telemetry),
            trust: AtomicBool::new(true),
            slots: Semaphore::new(destination.delivery.sending_queue.num_consumers.clamp(1, Semaphore::MAX_PERMITS)),
            in_flight: telemetry.up_down_counter(
                "otelcol_exporter_in_flight_requests",
                "Requests in flight, those that wait for a retry included.",
                "{request}",
                &[("exporter", &id), ("data_type", signal.as_str())],
            ),
            sent: telemetry.counter(sent, "Items the destination has.", "{record}", &label),
            send_failed: telemetry.counter(failed, "Items the destination will never have.", "{record}", &label),
            complaints: Complaints::new(Arc::clone(&destination), signal),
            panics: telemetry.counter("lanner_exporter_panics", "Panics of the exporter.", "{panic}", &label),
            left_behind: Drain::new(),
            destination,
        }
    }

    /// Counts items whose fate is known: all are there but so many, which never will be.
    pub fn count(&self, items: usize, lost: usize) {
        self.sent.add(items.saturating_sub(lost) as u64);
        self.send_failed.add(lost as u64);
    }

    /// Tells about items that the sink refused while it took others.
    pub fn rejected_some(&self, rejected_items: usize, reason: &str) {
        if rejected_items > 0 {
            let id = &self.destination.id;
            tracing::warn!(exporter = %id, rejected_items, %reason, "Exporting failed. Rejecting data.");
        }
    }

    /// One attempt, with its timeout.
    pub async fn attempt(&self, request: &Request) -> Outcome {
        let attempt = AssertUnwindSafe(self.destination.exporter.export(request)).catch_unwind();
        let limit = self.destination.delivery.timeout.map(|timeout| timeout.0).filter(|limit| !limit.is_zero());
        let ended = match limit {
            Some(limit) => match tokio::time::timeout(limit, attempt).await {
                Ok(ended) => ended,
                Err(_) => {
                    let reason = format!("no answer within {limit:?}");
                    return Outcome::Retry { after: None, reason };
                }
            },
            None => attempt.await,
        };
        ended.unwrap_or_else(|_| {
            self.panics.add(1);
            Outcome::Retry { after: None, reason: "the exporter panicked".to_owned() }
        })
    }

    /// Counts a request as in flight until the result is dropped, however that comes about.
    pub fn in_flight(&self) -> InFlight<'_> {
        self.in_flight.add(1);
        InFlight(&self.in_flight)
    }
}

/// Takes one from the sum when dropped, however the task ends.
#[must_use = "the request counts as in flight until this is dropped"]
pub(super) struct InFlight<'a>(&'a UpDownCounter);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}
