//! A sending queue as a window on a log on disk.
//!
//! Promises: entries come in in their order, as far as the window has room; what cannot be read is counted, dropped and never
//! stops the queue; what an earlier run has left counts as waiting from the start, and as recovered when it is seen.

use super::{Item, SendingQueue, Wanted};
use crate::{
    config::{OnFull, QueueConfig, Sizer},
    delivery::{
        budget::Budget,
        durable::{DurableQueue, Found, WINDOW},
        ledger::{DestinationAccount, Ledger, reason},
        letters::Letters,
    },
    event::Signal,
    telemetry::{Counter, Telemetry},
};
use lanner_queue::Entry;
use parking_lot::{Mutex, RwLock};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// So long is waited for the disk to bring in what is to be dropped.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// What a durable queue has more.
pub(super) struct Disk {
    pub queue: DurableQueue,
    pub letters: RwLock<Option<Arc<Letters>>>,
    /// Held while entries come in, so that they stay in order whoever asks for them.
    filling: Mutex<()>,
    /// By pipeline: whose requests are found in the log.
    accounts: Mutex<HashMap<String, Arc<DestinationAccount>>>,
    /// For requests of pipelines that the configuration has no more.
    ledger: Ledger,
    pub telemetry: Telemetry,
    unreadable: Counter,
}

impl Disk {
    /// Whose the requests of a pipeline are.
    fn account(&self, exporter: &str, pipeline: &str) -> Arc<DestinationAccount> {
        let mut accounts = self.accounts.lock();
        if let Some(known) = accounts.get(pipeline) {
            return Arc::clone(known);
        }
        let orphan = self.ledger.pipeline(&self.telemetry, pipeline).absent(exporter);
        accounts.insert(pipeline.to_owned(), Arc::clone(&orphan));
        orphan
    }
}

impl SendingQueue {
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
            this.waiting.get_mut().used = left;
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
    pub(super) fn gives_way(self: &Arc<Self>, config: &QueueConfig) {
        if let Some(disk) = &self.disk {
            disk.queue.shedding().set(self, config.on_full == OnFull::DropOldest);
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
    pub(in crate::delivery) fn disk(&self) -> Option<&DurableQueue> {
        self.disk.as_ref().map(|disk| &disk.queue)
    }

    /// The log behind the queue, and where it keeps what the sink refuses.
    pub(in crate::delivery) fn dead_letters(&self) -> Option<(&DurableQueue, Arc<Letters>)> {
        let disk = self.disk.as_ref()?;
        Some((&disk.queue, disk.letters.read().clone()?))
    }

    /// Brings in what the log has, as far as the window has room.
    pub(in crate::delivery) fn refill(&self) {
        let Some(disk) = &self.disk else { return };
        let _filling = disk.filling.lock();
        let room = WINDOW.saturating_sub(self.waiting.lock().bytes);
        if room == 0 {
            return;
        }
        // Requests of one pipeline come in runs.
        let mut last: Option<Arc<DestinationAccount>> = None;
        let (found, unreadable) = disk.queue.take(self.signal, room, |pipeline| match &last {
            Some(same) if same.pipeline() == pipeline => Arc::clone(same),
            _ => Arc::clone(last.insert(disk.account(&self.name, pipeline))),
        });
        if !unreadable.is_empty() {
            disk.unreadable.add(unreadable.len() as u64);
            tracing::error!(
                exporter = self.name,
                entries = unreadable.len(),
                "Entries of the queue on disk are of no known form. Dropping them."
            );
            Entry::settle_all(unreadable);
        }
        if found.is_empty() {
            return;
        }
        let now = Instant::now();
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut waiting = self.waiting.lock();
        for Found { request, account, entry, recovered, appended } in found {
            let units = waiting.settings.units_of(&request);
            if recovered {
                account.recovered.add(request.items as u64);
                account.queued.add(request.items as i64);
                if waiting.settings.sizer != Sizer::Requests {
                    waiting.used += units;
                    self.metrics.size.add(units as i64);
                }
            }
            let age = since_1970.saturating_sub(Duration::from_millis(appended));
            let arrived = now.checked_sub(age).unwrap_or(now);
            waiting.push_stored(Item::stored(request, account, units, arrived, entry));
        }
    }

    pub(super) async fn arrived_on_disk(&self, disk: &Disk, wanted: Wanted) {
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

    /// Drops the oldest requests that no sender has taken, about so many bytes; says how many. Cancel-safe.
    pub(in crate::delivery) async fn shed(&self, bytes: u64) -> u64 {
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
            freed += item.size().max(1) as u64;
            for (account, records) in &item.parts {
                account.reject(reason::DROPPED_OLDEST, *records as u64);
                account.queued.add(-(*records as i64));
            }
            item.entry.into_iter().for_each(Entry::settle);
            self.give_back(item.units, item.memory);
        }
        freed
    }
}
