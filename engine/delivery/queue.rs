//! The sending queue in front of an exporter.
//!
//! Promises: what is reserved can be pushed without failing, so that one request can be put into several queues or
//! into none; size counts what waits **and** what is in flight, as in the Collector; items leave in order.
//!
//! With `sending_queue.storage` requests wait in a log on disk ([`DurableQueue`]) and this queue is a window on it: a push
//! only counts what the commit has written, [`SendingQueue::refill`] brings entries of the log in as far as there is room,
//! and what is settled is settled there. What is kept stays in the log, in the books as queued.
//!
//! A queue outlives the graph that a reload replaces: what its sender has not delivered by then is given back, to the
//! front, and the next sender goes on there; changed settings apply to what waits as well.

mod disk;
mod item;
mod reload;
mod room;
mod waiting;

pub(super) use item::Item;
pub use room::Reservation;
pub(super) use room::Shortage;
pub(super) use waiting::{Parts, Returned, Together, Wanted};

use super::{budget::Budget, line::Line, taken::Taken};
use crate::{
    config::{QueueConfig, Sizer},
    event::{OtlpRequest, Signal},
    telemetry::{Counter, Gauge, Telemetry, UpDownCounter},
};
use disk::Disk;
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, time::Instant};
use waiting::Waiting;

/// Requests that wait for one exporter, of one signal.
pub struct SendingQueue {
    name: String,
    signal: Signal,
    waiting: Mutex<Waiting>,
    arrivals: Notify,
    /// Those who wait for room.
    line: Line,
    budget: Budget,
    metrics: QueueMetrics,
    disk: Option<Disk>,
}

/// What a reload may change.
#[derive(Clone, Copy)]
struct Settings {
    sizer: Sizer,
    capacity: usize,
    /// Whether a full queue makes the receiver wait instead of being refused.
    blocks: bool,
}

impl Settings {
    fn of(config: &QueueConfig) -> Self {
        Self { sizer: config.sizer, capacity: config.queue_size.max(1), blocks: config.block_on_overflow }
    }

    fn units_of(&self, request: &OtlpRequest) -> usize {
        self.units(request.items, request.bytes.len())
    }

    /// The units of a request with so many records and bytes.
    fn units(&self, records: usize, bytes: usize) -> usize {
        match self.sizer {
            Sizer::Requests => 1,
            Sizer::Items => records,
            Sizer::Bytes => bytes,
        }
    }
}

struct QueueMetrics {
    size: UpDownCounter,
    capacity: Gauge,
    enqueue_failed: Counter,
}

impl SendingQueue {
    /// An empty queue for `exporter`.
    pub fn new(
        exporter: &str,
        signal: Signal,
        config: &QueueConfig,
        budget: Budget,
        telemetry: &Telemetry,
    ) -> Arc<Self> {
        Arc::new(Self::in_memory(exporter, signal, config, budget, telemetry))
    }

    fn in_memory(exporter: &str, signal: Signal, config: &QueueConfig, budget: Budget, telemetry: &Telemetry) -> Self {
        let labels = [("exporter", exporter), ("data_type", signal.as_str())];
        let help = "Fixed capacity of the sending queue.";
        let capacity = telemetry.gauge("otelcol_exporter_queue_capacity", help, "{batch}", &labels);
        let settings = Settings::of(config);
        capacity.set(i64::try_from(settings.capacity).unwrap_or(i64::MAX));
        let enqueue_failed = match signal {
            Signal::Logs => "otelcol_exporter_enqueue_failed_log_records",
            Signal::Metrics => "otelcol_exporter_enqueue_failed_metric_points",
            Signal::Traces => "otelcol_exporter_enqueue_failed_spans",
        };
        Self {
            name: exporter.to_owned(),
            signal,
            waiting: Mutex::new(Waiting::new(settings)),
            arrivals: Notify::new(),
            line: Line::default(),
            budget,
            metrics: QueueMetrics {
                capacity,
                size: telemetry.up_down_counter(
                    "otelcol_exporter_queue_size",
                    "Size of the sending queue, what is in flight included.",
                    "{batch}",
                    &labels,
                ),
                enqueue_failed: telemetry.counter(
                    enqueue_failed,
                    "Items the sending queue had no room for; the sender was told.",
                    "{record}",
                    &[("exporter", exporter)],
                ),
            },
            disk: None,
        }
    }

    /// The exporter's id.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which signal waits here.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Whether a full queue makes the receiver wait instead of being refused.
    pub(super) fn blocks(&self) -> bool {
        self.waiting.lock().settings.blocks
    }

    /// Puts back what a sender has not delivered, for the next one.
    pub(super) fn put_back(&self, returned: Returned) {
        self.waiting.lock().put_back(returned);
        self.arrivals.notify_one();
    }

    /// How much waits, in bytes and records, and since when.
    pub(super) fn waiting(&self) -> (Wanted, Option<Instant>) {
        let waiting = self.waiting.lock();
        let returned = waiting.returned.front().map(|returned| returned.arrived);
        let oldest = returned.or_else(|| waiting.items.front().map(|item| item.arrived));
        (Wanted { bytes: waiting.bytes, records: waiting.records }, oldest)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.lock().is_empty()
    }

    /// Returns when at least `wanted` waits. Cancel-safe; one sender waits at a time.
    pub(super) async fn arrived(&self, wanted: Wanted) {
        if let Some(disk) = &self.disk {
            return self.arrived_on_disk(disk, wanted).await;
        }
        loop {
            let arrival = self.arrivals.notified();
            {
                let mut waiting = self.waiting.lock();
                waiting.wanted = wanted;
                if waiting.has(wanted) {
                    return;
                }
            }
            arrival.await;
        }
    }

    /// Takes requests from the front: at least one, and as many more as are sent together with it. What comes from now on is
    /// joined by the same rules.
    pub(super) fn take(self: &Arc<Self>, together: Together) -> Option<Taken> {
        let mut waiting = self.waiting.lock();
        waiting.together = Some(together);
        if let Some(returned) = waiting.returned.pop_front() {
            waiting.bytes -= returned.request.bytes.len();
            waiting.records -= returned.request.items;
            drop(waiting);
            return Some(Taken::again(self, returned));
        }
        let mut items: SmallVec<[Item; 2]> = SmallVec::new();
        let (mut bytes, mut records) = (0, 0);
        while let Some(item) = waiting.items.front() {
            let (next_bytes, next_records) = (item.size(), item.records());
            if !items.is_empty() && !together.has_room(bytes, records, next_bytes, next_records) {
                break;
            }
            (bytes, records) = (bytes + next_bytes, records + next_records);
            // The front was just seen, so this ends the loop only in theory.
            let Some(item) = waiting.pop() else { break };
            items.push(item);
        }
        drop(waiting);
        Taken::merge(self, items, bytes, records)
    }

    /// Gives back the room of what is not in the queue any more.
    pub(super) fn give_back(&self, units: usize, memory: usize) {
        self.metrics.size.add(-(units as i64));
        self.unreserve(units);
        self.budget.give_back_queued(memory);
    }

    /// Never more than is in use, which a changed sizer does not know of entries in a log.
    fn unreserve(&self, units: usize) {
        let mut waiting = self.waiting.lock();
        waiting.used = waiting.used.saturating_sub(units);
        waiting.given_back = waiting.given_back.wrapping_add(1);
        drop(waiting);
        self.line.give_turn();
    }

    /// How long the oldest request has waited.
    pub fn oldest_age(&self) -> Option<Duration> {
        self.waiting().1.map(|arrived| arrived.elapsed())
    }
}

impl Drop for SendingQueue {
    /// What waited in memory is gone with it.
    fn drop(&mut self) {
        self.budget.give_back_queued(self.waiting.get_mut().memory());
    }
}
