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
    durable::{DurableQueue, Found, WINDOW},
    ledger::{DestinationAccount, Ledger, reason},
    letters::Letters,
    settling::Settling,
    taken::{Refused, Taken},
};
use crate::{
    config::{OnFull, QueueConfig, Sizer},
    event::{OtlpRequest, Signal},
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

/// So long is waited for the disk to bring in what is to be dropped.
const READ_PAUSE: Duration = Duration::from_secs(1);

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
    letters: RwLock<Option<Arc<Letters>>>,
    /// Held while entries come in, so that they stay in order whoever asks for them.
    filling: Mutex<()>,
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

/// A request in the queue, and what it holds.
pub(super) struct Item {
    pub request: OtlpRequest,
    pub account: Arc<DestinationAccount>,
    pub units: usize,
    pub arrived: Instant,
    pub memory: Option<Reserved>,
    pub entry: Option<Entry>,
}

/// What was taken and given back.
pub(super) struct Returned {
    pub request: OtlpRequest,
    pub parts: Parts,
    pub units: usize,
    pub arrived: Instant,
    pub settling: Settling,
    pub memory: Vec<Reserved>,
}

/// Whose items a request holds, in their order.
pub(super) type Parts = SmallVec<[(Arc<DestinationAccount>, usize); 2]>;

/// Room in a queue, given back when dropped without a push.
#[must_use = "room that is not used is given back"]
pub struct Reservation {
    queue: Arc<SendingQueue>,
    units: usize,
    memory: Option<Reserved>,
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
        let letters = RwLock::new(Letters::of(&queue, exporter, signal, telemetry).map(Arc::new));
        let (ledger, telemetry) = (ledger.clone(), telemetry.clone());
        this.disk = Some(Disk {
            queue,
            letters,
            filling: Mutex::default(),
            accounts: Mutex::default(),
            ledger,
            telemetry,
            unreadable,
        });
        let this = Arc::new(this);
        this.gives_way(config);
        this
    }

    /// Whether its oldest requests make room in a full log.
    fn gives_way(self: &Arc<Self>, config: &QueueConfig) {
        if let Some(disk) = &self.disk {
            disk.queue.shedding().set(self, config.on_full == OnFull::DropOldest);
        }
    }

    /// Puts back what a sender has not delivered, for the next one.
    pub(super) fn put_back(&self, returned: Returned) {
        self.waiting.lock().put_back(returned);
        self.arrivals.notify_one();
    }

    /// Takes over settings that a reload has changed; what waits is counted anew. `log` is what the settings make of its part
    /// of a log, where it has one: whether there are dead letters comes from there. Called while nothing is in flight.
    pub fn configure(self: &Arc<Self>, config: &QueueConfig, log: Option<&DurableQueue>) {
        self.gives_way(config);
        if let (Some(disk), Some(log)) = (&self.disk, log) {
            let letters = Letters::of(log, &self.name, self.signal, &disk.telemetry).map(Arc::new);
            let goes = letters.is_none();
            let before = std::mem::replace(&mut *disk.letters.write(), letters);
            before.filter(|_| goes).iter().for_each(|letters| letters.retire());
        }
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
            other.give_back(returned.units);
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
                taken.settle(&Refused::All, reason::SHUTDOWN, "");
            }
        }
        if let Some(disk) = &self.disk {
            disk.queue.retire();
            disk.letters.read().iter().for_each(|letters| letters.retire());
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

    /// The log behind the queue, and where it keeps what the sink refuses.
    pub(super) fn dead_letters(&self) -> Option<(&DurableQueue, Arc<Letters>)> {
        let disk = self.disk.as_ref()?;
        Some((&disk.queue, disk.letters.read().clone()?))
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
        let _filling = disk.filling.lock();
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

    /// Drops the oldest requests that no sender has taken, about so many bytes; says how many. Cancel-safe.
    pub(super) async fn shed(&self, bytes: u64) -> u64 {
        let Some(disk) = &self.disk else { return 0 };
        let mut freed = 0;
        while freed < bytes {
            let Some(item) = self.waiting.lock().pop() else {
                self.refill();
                let stats = disk.queue.stats();
                if self.waiting.lock().has_untouched() {
                    continue;
                }
                // What is not in flight has to be read first.
                if stats.entries <= stats.in_flight
                    || tokio::time::timeout(READ_PAUSE, disk.queue.arrived()).await.is_err()
                {
                    break;
                }
                continue;
            };
            freed += item.request.bytes.len().max(1) as u64;
            item.account.reject(reason::DROPPED_OLDEST, item.request.items as u64);
            item.account.queued.add(-(item.request.items as i64));
            item.entry.into_iter().for_each(Entry::settle);
            self.give_back(item.units);
        }
        freed
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

impl Waiting {
    /// Takes the oldest.
    fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.bytes -= item.request.bytes.len();
        self.records -= item.request.items;
        Some(item)
    }

    /// Whether something waits that no sender has had.
    fn has_untouched(&self) -> bool {
        !self.items.is_empty()
    }

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
            self.queue.unreserve(self.units);
        }
    }
}
