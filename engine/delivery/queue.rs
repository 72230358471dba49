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

use super::{
    budget::{Budget, Reserved},
    durable::{DurableQueue, Found, Settling, WINDOW},
    ledger::{DestinationAccount, Ledger, reason},
};
use crate::{
    config::{QueueConfig, Sizer},
    event::{OtlpRequest, Signal, otlp},
    telemetry::{Counter, Gauge, Telemetry},
};
use lanner_queue::Entry;
use parking_lot::{Mutex, RwLock};
use smallvec::{SmallVec, smallvec};
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};
use tokio::{sync::Notify, time::Instant};

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

/// What a durable queue has more.
struct Disk {
    queue: DurableQueue,
    /// By pipeline: whose requests are found in the log.
    accounts: Mutex<HashMap<String, Arc<DestinationAccount>>>,
    /// For requests of pipelines that the configuration has no more.
    ledger: Ledger,
    telemetry: Telemetry,
    unreadable: Counter,
}

#[derive(Default)]
struct Waiting {
    /// What an earlier sender gave back; these go first.
    returned: VecDeque<Returned>,
    items: VecDeque<Item>,
    bytes: usize,
    records: usize,
    /// The sender sleeps until this many bytes or records wait.
    wanted: Wanted,
}

/// What the sender waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub bytes: usize,
    pub records: usize,
}

struct QueueMetrics {
    size: Gauge,
    capacity: Gauge,
    enqueue_failed: Counter,
}

struct Item {
    request: OtlpRequest,
    account: Arc<DestinationAccount>,
    units: usize,
    arrived: Instant,
    memory: Option<Reserved>,
    entry: Option<Entry>,
}

/// What was taken and given back.
struct Returned {
    request: OtlpRequest,
    parts: Parts,
    units: usize,
    arrived: Instant,
    settling: Settling,
    memory: Vec<Reserved>,
}

/// Whose items a request holds, in their order.
type Parts = SmallVec<[(Arc<DestinationAccount>, usize); 2]>;

/// Room in a queue, given back when dropped without a push.
#[must_use = "room that is not used is given back"]
pub struct Reservation {
    queue: Arc<SendingQueue>,
    units: usize,
    memory: Option<Reserved>,
}

/// Requests taken out to be sent together. Settle it: what is dropped unsettled stays in the log, or counts as rejected
/// where there is none.
pub struct Taken {
    queue: Arc<SendingQueue>,
    pub request: OtlpRequest,
    /// Whose items these are, in the order of the request.
    pub parts: Parts,
    units: usize,
    /// When the oldest of them came.
    arrived: Instant,
    settled: bool,
    settling: Settling,
    /// Given back with the rest when this is dropped.
    memory: Vec<Reserved>,
}

/// What is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    Queue,
    Memory,
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

    /// The same with its requests on disk. What an earlier run has left counts as waiting from the start.
    pub fn on_disk(
        exporter: &str,
        signal: Signal,
        config: &QueueConfig,
        queue: DurableQueue,
        (budget, ledger, telemetry): (Budget, &Ledger, &Telemetry),
    ) -> Arc<Self> {
        let mut this = Self::in_memory(exporter, signal, config, budget, telemetry);
        let left = usize::try_from(queue.stats().entries).unwrap_or(usize::MAX);
        if config.sizer == Sizer::Requests {
            this.used = AtomicUsize::new(left);
            this.metrics.size.add(left as i64);
        }
        let help = "Entries of the queue on disk that could not be read and were dropped.";
        let unreadable = telemetry.counter("lanner_queue_unreadable", help, "{request}", &[("exporter", exporter)]);
        let (ledger, telemetry) = (ledger.clone(), telemetry.clone());
        this.disk = Some(Disk { queue, accounts: Mutex::default(), ledger, telemetry, unreadable });
        Arc::new(this)
    }

    /// Takes over settings that a reload has changed; what waits is counted anew. Called while nothing is in flight.
    pub fn configure(&self, config: &QueueConfig) {
        let settings = Settings::of(config);
        self.metrics.capacity.set(i64::try_from(settings.capacity).unwrap_or(i64::MAX));
        let before = std::mem::replace(&mut *self.settings.write(), settings);
        if before.sizer == settings.sizer {
            return;
        }
        let mut waiting = self.waiting.lock();
        waiting.returned.iter_mut().for_each(|returned| returned.units = settings.units(&returned.request));
        waiting.items.iter_mut().for_each(|item| item.units = settings.units(&item.request));
        let mut units = waiting.units();
        if let Some(disk) = self.disk.as_ref().filter(|_| settings.sizer == Sizer::Requests) {
            units = usize::try_from(disk.queue.stats().entries).unwrap_or(usize::MAX);
        }
        let used = self.used.swap(units, Relaxed);
        self.metrics.size.add(units as i64 - used as i64);
    }

    /// Takes over what waits in a queue in memory; it goes first.
    pub fn adopt(&self, other: &Self) {
        let (returned, items) = {
            let mut waiting = other.waiting.lock();
            let Waiting { returned, items, .. } = std::mem::take(&mut *waiting);
            (returned, items)
        };
        let items = items.into_iter().map(|item| Returned {
            parts: smallvec![(item.account, item.request.items)],
            request: item.request,
            units: item.units,
            arrived: item.arrived,
            settling: Settling::new(item.entry.into_iter().collect()),
            memory: item.memory.into_iter().collect(),
        });
        for mut returned in returned.into_iter().chain(items) {
            other.give_back_units(returned.units);
            returned.units = self.units(&returned.request);
            self.used.fetch_add(returned.units, Relaxed);
            self.metrics.size.add(returned.units as i64);
            self.waiting.lock().put_back(returned);
        }
    }

    /// No exporter has it any more. What is in a log stays there and is shown as nobody's; what is only in memory is counted
    /// as rejected.
    pub fn retire(self: &Arc<Self>) {
        while let Some(taken) = self.take(0, 0) {
            if !taken.is_durable() {
                taken.rejected(reason::SHUTDOWN);
            }
        }
        if let Some(disk) = &self.disk {
            disk.queue.retire();
        }
    }

    /// Whether its requests are in a log.
    pub fn is_on_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// Says whose the requests of a pipeline are, so that those found in the log are counted there.
    pub fn feeds(&self, account: &Arc<DestinationAccount>) {
        if let Some(disk) = &self.disk {
            disk.accounts.lock().insert(account.pipeline().to_owned(), Arc::clone(account));
        }
    }

    /// The log behind the queue.
    pub(super) fn disk(&self) -> Option<&DurableQueue> {
        self.disk.as_ref().map(|disk| &disk.queue)
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

    /// Reserves room for a request.
    ///
    /// # Errors
    /// The queue is full, or the memory budget is used up.
    pub fn reserve(self: &Arc<Self>, request: &OtlpRequest) -> Result<Reservation, Full> {
        let settings = *self.settings.read();
        let units = settings.units(request);
        let fits = |used: usize| used.checked_add(units).filter(|sum| *sum <= settings.capacity);
        let full = |what| {
            self.metrics.enqueue_failed.add(request.items as u64);
            what
        };
        self.used.fetch_update(Relaxed, Relaxed, fits).map_err(|_| full(Full::Queue))?;
        let mut reservation = Reservation { queue: Arc::clone(self), units, memory: None };
        if self.disk.is_none() {
            // Dropping the reservation on the way out gives the units back.
            reservation.memory = Some(self.budget.reserve(request.bytes.len()).ok_or_else(|| full(Full::Memory))?);
        }
        Ok(reservation)
    }

    fn units(&self, request: &OtlpRequest) -> usize {
        self.settings.read().units(request)
    }

    /// Brings in what the log has, as far as the window has room.
    pub(super) fn refill(&self) {
        let Some(disk) = &self.disk else { return };
        let room = WINDOW.saturating_sub(self.waiting.lock().bytes);
        if room == 0 {
            return;
        }
        let (found, unreadable) = disk.queue.take(self.signal, room);
        if !unreadable.is_empty() {
            disk.unreadable.add(unreadable.len() as u64);
            tracing::error!(
                exporter = self.name,
                entries = unreadable.len(),
                "Entries of the queue on disk are of no known form. Dropping them."
            );
            unreadable.into_iter().for_each(Entry::settle);
        }
        if found.is_empty() {
            return;
        }
        let now = Instant::now();
        let items: Vec<Item> = found.into_iter().map(|found| self.item(disk, found, now)).collect();
        let mut waiting = self.waiting.lock();
        for item in items {
            waiting.bytes += item.request.bytes.len();
            waiting.records += item.request.items;
            waiting.items.push_back(item);
        }
    }

    fn item(&self, disk: &Disk, found: Found, now: Instant) -> Item {
        let Found { request, pipeline, entry, recovered, appended } = found;
        let account = {
            let mut accounts = disk.accounts.lock();
            let orphan = || disk.ledger.pipeline(&disk.telemetry, &pipeline).absent(&self.name);
            Arc::clone(accounts.entry(pipeline.clone()).or_insert_with(orphan))
        };
        let units = self.units(&request);
        if recovered {
            account.recovered.add(request.items as u64);
            account.queued.add(request.items as i64);
            if self.settings.read().sizer != Sizer::Requests {
                self.used.fetch_add(units, Relaxed);
                self.metrics.size.add(units as i64);
            }
        }
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let age = since_1970.saturating_sub(Duration::from_millis(appended));
        let arrived = now.checked_sub(age).unwrap_or(now);
        Item { request, account, units, arrived, memory: None, entry: Some(entry) }
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

    async fn arrived_on_disk(&self, disk: &Disk, wanted: Wanted) {
        loop {
            self.refill();
            let full = {
                let waiting = self.waiting.lock();
                if waiting.has(wanted) {
                    return;
                }
                waiting.bytes >= WINDOW
            };
            if full {
                // More cannot come in, so this is as much as there will be.
                return;
            }
            disk.queue.arrived().await;
        }
    }

    /// Takes requests from the front: at least one, and as many more as fit into the limits (0 is none).
    pub(super) fn take(self: &Arc<Self>, max_bytes: usize, max_records: usize) -> Option<Taken> {
        let mut waiting = self.waiting.lock();
        if let Some(returned) = waiting.returned.pop_front() {
            waiting.bytes -= returned.request.bytes.len();
            waiting.records -= returned.request.items;
            let Returned { request, parts, units, arrived, settling, memory } = returned;
            let queue = Arc::clone(self);
            return Some(Taken { queue, request, parts, units, arrived, settled: false, settling, memory });
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
            let Some(item) = waiting.items.pop_front() else { break };
            items.push(item);
        }
        waiting.bytes -= bytes;
        waiting.records -= records;
        drop(waiting);
        Taken::merge(self, items, bytes, records)
    }

    /// Gives room back; never more than is in use, which a changed sizer does not know of entries in a log.
    fn give_back(&self, units: usize) {
        let _ = self.used.fetch_update(Relaxed, Relaxed, |used| Some(used.saturating_sub(units)));
        self.budget.announce_room();
    }

    fn give_back_units(&self, units: usize) {
        self.metrics.size.add(-(units as i64));
        self.give_back(units);
    }

    /// How long the oldest request has waited.
    pub fn oldest_age(&self) -> Option<Duration> {
        self.waiting().1.map(|arrived| arrived.elapsed())
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.returned.is_empty() && self.items.is_empty()
    }

    fn units(&self) -> usize {
        let returned: usize = self.returned.iter().map(|returned| returned.units).sum();
        returned + self.items.iter().map(|item| item.units).sum::<usize>()
    }

    /// Puts something back in the order in which it came.
    fn put_back(&mut self, returned: Returned) {
        self.bytes += returned.request.bytes.len();
        self.records += returned.request.items;
        let place = self.returned.partition_point(|other| other.arrived <= returned.arrived);
        self.returned.insert(place, returned);
    }

    fn has(&self, wanted: Wanted) -> bool {
        !self.is_empty() && (self.bytes >= wanted.bytes || self.records >= wanted.records)
    }
}

impl Reservation {
    /// Puts the request into the room that was reserved for it.
    pub fn push(mut self, request: OtlpRequest, account: Arc<DestinationAccount>) {
        let queue = &self.queue;
        account.queued.add(request.items as i64);
        queue.metrics.size.add(self.units as i64);
        let Some(memory) = self.memory.take() else {
            // It is in the log, from where the sender takes it; the units belong to the entry.
            self.units = 0;
            return;
        };
        let mut waiting = queue.waiting.lock();
        let had = waiting.has(waiting.wanted);
        waiting.bytes += request.bytes.len();
        waiting.records += request.items;
        waiting.items.push_back(Item {
            request,
            account,
            units: self.units,
            arrived: Instant::now(),
            memory: Some(memory),
            entry: None,
        });
        let wake = !had && waiting.has(waiting.wanted);
        drop(waiting);
        if wake {
            queue.arrivals.notify_one();
        }
        // The units now belong to the item.
        self.units = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.units != 0 {
            self.queue.give_back(self.units);
        }
    }
}

impl Taken {
    fn merge(queue: &Arc<SendingQueue>, items: SmallVec<[Item; 8]>, bytes: usize, records: usize) -> Option<Self> {
        let arrived = items.first()?.arrived;
        let mut parts = Parts::new();
        let mut memory = Vec::with_capacity(items.len());
        let mut entries = Vec::new();
        let mut units = 0;
        // A single request is handed on as it is; several become one by concatenation, as protobuf allows.
        let mut merged = if items.len() > 1 { Vec::with_capacity(bytes) } else { Vec::new() };
        let mut single = None;
        let many = items.len() > 1;
        for item in items {
            units += item.units;
            memory.extend(item.memory);
            entries.extend(item.entry);
            match parts.last_mut() {
                Some((account, count)) if Arc::ptr_eq(account, &item.account) => *count += item.request.items,
                _ => parts.push((item.account, item.request.items)),
            }
            if many {
                merged.extend_from_slice(&item.request.bytes);
            } else {
                single = Some(item.request.bytes);
            }
        }
        let bytes = single.unwrap_or_else(|| merged.into());
        let request = OtlpRequest { signal: queue.signal, bytes, items: records };
        let settling = Settling::new(entries);
        Some(Self { queue: Arc::clone(queue), request, parts, units, arrived, settled: false, settling, memory })
    }

    /// Parts of at most so many items and bytes (0 is no limit), so that `batch.max_size` holds. One item that is
    /// larger than the limit stays whole.
    pub(super) fn split(mut self, max_items: usize, max_bytes: usize) -> SmallVec<[Self; 1]> {
        let over = |limit: usize, size: usize| limit != 0 && size > limit;
        if !over(max_items, self.request.items) && !over(max_bytes, self.request.bytes.len()) {
            return smallvec![self];
        }
        let Ok(requests) = otlp::split(&self.request, max_items, max_bytes) else {
            // Not splittable means not OTLP inside; the sink will say so.
            return smallvec![self];
        };
        self.settled = true;
        let mut owners = std::mem::take(&mut self.parts).into_iter();
        let mut current = owners.next();
        let mut taken = SmallVec::new();
        for request in requests {
            let mut parts = SmallVec::new();
            let mut missing = request.items;
            while missing > 0 {
                let Some((account, items)) = current.take() else { break };
                let some = items.min(missing);
                missing -= some;
                parts.push((Arc::clone(&account), some));
                current = if items > some { Some((account, items - some)) } else { owners.next() };
            }
            // The room of all goes with the first part: it is given back a little early, but exactly once.
            let units = std::mem::take(&mut self.units);
            let memory = std::mem::take(&mut self.memory);
            let (queue, settling, arrived) = (Arc::clone(&self.queue), self.settling.clone(), self.arrived);
            taken.push(Self { queue, request, parts, units, arrived, settled: false, settling, memory });
        }
        taken
    }

    /// Whether it is in a log and may stay there.
    pub(super) fn is_durable(&self) -> bool {
        self.settling.is_durable()
    }

    /// Puts it back to the front of its queue, for the next sender.
    pub(super) fn give_back(mut self) {
        self.settled = true;
        let returned = Returned {
            request: self.request.clone(),
            parts: std::mem::take(&mut self.parts),
            units: std::mem::take(&mut self.units),
            arrived: self.arrived,
            settling: std::mem::take(&mut self.settling),
            memory: std::mem::take(&mut self.memory),
        };
        self.queue.waiting.lock().put_back(returned);
        self.queue.arrivals.notify_one();
    }

    /// The sink has all items but `rejected`, which it will never take.
    pub fn delivered(mut self, rejected: usize, reason: &'static str) {
        self.settled = true;
        let mut left = rejected.min(self.request.items);
        for (account, items) in &self.parts {
            let lost = left.min(*items);
            left -= lost;
            account.delivered.add((items - lost) as u64);
            account.reject(reason, lost as u64);
        }
    }

    /// The sink will never have these items.
    pub fn rejected(mut self, reason: &'static str) {
        self.settled = true;
        for (account, items) in &self.parts {
            account.reject(reason, *items as u64);
        }
    }
}

impl Drop for Taken {
    /// Gives the room back. Runs after the items were counted, so that the ledger never shows them nowhere.
    fn drop(&mut self) {
        if !self.settled && self.settling.is_durable() {
            // It stays in the log, and so in the books as queued.
            self.settling.keep();
            return;
        }
        for (account, items) in &self.parts {
            if !self.settled {
                account.reject(reason::ABANDONED, *items as u64);
            }
            account.queued.add(-(*items as i64));
        }
        self.queue.give_back_units(self.units);
    }
}
