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
mod reload;
mod room;
mod waiting;

pub use room::{Full, Reservation};
pub(super) use waiting::{Item, Parts, Returned, Wanted};

use super::{budget::Budget, taken::Taken};
use crate::{
    config::{QueueConfig, Sizer},
    event::{OtlpRequest, Signal},
    telemetry::{Counter, Gauge, Telemetry},
};
use disk::Disk;
use parking_lot::{Mutex, RwLock};
use smallvec::SmallVec;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
use waiting::Waiting;

/// Requests that wait for one exporter, of one signal.
pub struct SendingQueue {
    name: String,
    signal: Signal,
    settings: RwLock<Settings>,
    used: AtomicUsize,
    waiting: Mutex<Waiting>,
    arrivals: Notify,
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

    fn units(&self, request: &OtlpRequest) -> usize {
        match self.sizer {
            Sizer::Requests => 1,
            Sizer::Items => request.items,
            Sizer::Bytes => request.bytes.len(),
        }
    }
}

struct QueueMetrics {
    size: Gauge,
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
            settings: RwLock::new(settings),
            used: AtomicUsize::new(0),
            waiting: Mutex::default(),
            arrivals: Notify::new(),
            budget,
            metrics: QueueMetrics {
                capacity,
                size: telemetry.gauge(
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
        self.settings.read().blocks
    }

    fn units(&self, request: &OtlpRequest) -> usize {
        self.settings.read().units(request)
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

    /// Takes requests from the front: at least one, and as many more as fit into the limits (0 is none).
    pub(super) fn take(self: &Arc<Self>, max_bytes: usize, max_records: usize) -> Option<Taken> {
        let mut waiting = self.waiting.lock();
        if let Some(returned) = waiting.returned.pop_front() {
            waiting.bytes -= returned.request.bytes.len();
            waiting.records -= returned.request.items;
            return Some(Taken::again(self, returned));
        }
        let mut items: SmallVec<[Item; 8]> = SmallVec::new();
        let (mut bytes, mut records) = (0, 0);
        while let Some(item) = waiting.items.front() {
            let (next_bytes, next_records) = (bytes + item.request.bytes.len(), records + item.request.items);
            let over = |limit: usize, size: usize| limit != 0 && size > limit;
            if !items.is_empty() && (over(max_bytes, next_bytes) || over(max_records, next_records)) {
                break;
            }
            (bytes, records) = (next_bytes, next_records);
            // The front was just seen, so this ends the loop only in theory.
            let Some(item) = waiting.pop() else { break };
            items.push(item);
        }
        drop(waiting);
        Taken::merge(self, items, bytes, records)
    }

    /// Gives back the room of what is not in the queue any more.
    pub(super) fn give_back(&self, units: usize) {
        self.metrics.size.add(-(units as i64));
        self.unreserve(units);
    }

    /// Never more than is in use, which a changed sizer does not know of entries in a log.
    fn unreserve(&self, units: usize) {
        let _ = self.used.fetch_update(Relaxed, Relaxed, |used| Some(used.saturating_sub(units)));
        self.budget.announce_room();
    }

    /// How long the oldest request has waited.
    pub fn oldest_age(&self) -> Option<Duration> {
        self.waiting().1.map(|arrived| arrived.elapsed())
    }
}
