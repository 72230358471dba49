//! For stages: state that survives a restart, together with what is about to be emitted.
//!
//! Promises of [`Durable`]
//! - One [`change`](Durable::change) is on disk as a whole or not at all: the state, the batches it emits, and the uids it
//!   has seen. After a crash the stage goes on from the last change that was written.
//! - A batch is handed on only once it is written, and removed from the disk only once the pipeline took it. So what was
//!   acknowledged comes out, at least once, and whenever it comes out again it is the same, ids included.
//! - A record that is absorbed again within ten minutes is recognised by its `log.record.uid`; one without is always new.
//! - Many callers of [`persist`](Durable::persist) share one write (group commit). The state is asked what changed once a
//!   write, not once a record.
//! - What waits for the pipeline is bounded: [`is_full`](Durable::is_full).
//!
//! Without a storage all of it holds but for survival: `persist` returns at once and batches are handed on at once.
//!
//! Flow: `Stage::absorb` calls `change`; the engine calls `persist` and then answers the sender; `Stage::run` calls
//! [`deliver`](Durable::deliver), which writes what timers changed, hands on what is written, and forgets what was taken.
//! After drain it calls [`flush`](Durable::flush).
//!
//! ```
//! # use lanner_engine::{prelude::*, stage::{Clock, Durable, Effects, State}, testing};
//! # use lanner_engine::{component::{Change, Kind}, telemetry::{Health, Telemetry}};
//! /// Counts, and passes everything on.
//! #[derive(Default)]
//! struct Count(u64);
//!
//! impl State for Count {
//!     fn changes(&mut self, changes: &mut Vec<Change>) {
//!         changes.push(("count".into(), Some(self.0.to_be_bytes().to_vec().into())));
//!     }
//! }
//!
//! fn absorb(durable: &Durable<Count>, batch: Batch) {
//!     durable.change(|count, effects| {
//!         count.0 += batch.records().filter(|record| !effects.is_repeat(record)).count() as u64;
//!         effects.emit(batch);
//!     });
//! }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # let cx = BuildCx::new(Kind::Processor, "count".parse()?, Telemetry::default(), Health::default());
//! # let durable = Durable::open(&cx, None, Clock::system(), Count::default()).await?;
//! # absorb(&durable, Batch::logs(Logs::default()));
//! # Ok::<(), BoxError>(())
//! # }).unwrap();
//! ```

mod clock;
mod outbox;
mod seen;
#[cfg(test)]
mod tests;

use crate::{
    component::{BoxError, BuildCx, Change, Consumer, Drain, Refused, Storage},
    event::{Batch, LogRecord, Signals},
    semantics::keys,
    telemetry::{Counter, Gauge},
};
use bytes::Bytes;
pub use clock::{Clock, Now, nanos};
use outbox::Outbox;
use parking_lot::Mutex;
use seen::Seen;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// The stage is full when about so many bytes wait for the pipeline.
const FULL: usize = 32 << 20;
/// How soon a failed write, or a batch that a busy pipeline refused, is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What a [`Durable`] keeps for its stage.
pub trait State: Send + 'static {
    /// Adds what changed since the last call. Keys beginning with `out/` and `uid/` are taken. Called for every write, under
    /// the lock, and only where there is a storage; a change that it gave is written sooner or later.
    fn changes(&mut self, changes: &mut Vec<Change>);
}

/// What a change brings about besides the new state.
pub struct Effects {
    outbox: Outbox,
    seen: Seen,
    clock: Clock,
    connected: Signals,
    repeated: Counter,
}

impl Effects {
    /// Emits a batch behind all that were emitted before. Of a signal without a pipeline it is none.
    pub fn emit(&mut self, batch: Batch) {
        if !batch.is_empty() && self.connected.contains(batch.signal()) {
            self.outbox.push(batch);
        }
    }

    /// Whether a record with this `log.record.uid` was absorbed lately; counted, when so. From now on it was.
    pub fn is_repeat(&mut self, record: &LogRecord) -> bool {
        let Some(uid) = record.attrs.get_str(&keys::UID) else { return false };
        let repeat = self.seen.is_repeat(uid, self.clock.now());
        self.repeated.add(u64::from(repeat));
        repeat
    }
}

/// The state `S` of a stage with what it is about to emit.
pub struct Durable<S> {
    kept: Mutex<Kept<S>>,
    storage: Option<Arc<dyn Storage>>,
    clock: Clock,
    /// Calls of `persist` so far.
    asked: AtomicU64,
    written: tokio::sync::Mutex<Written>,
    /// Batches below this number may be handed on.
    ready: AtomicU64,
    /// Bytes that wait.
    waiting: AtomicUsize,
    changed: Notify,
    cells: Cells,
}

struct Kept<S> {
    state: S,
    effects: Effects,
}

/// How far writing has come.
#[derive(Default)]
struct Written {
    /// Calls of `persist` whose changes are on disk.
    answered: u64,
    /// Changes that were taken over but are not known to be on disk: a write failed, or was given up in the middle.
    unwritten: BTreeMap<String, Option<Bytes>>,
}

/// Own metrics.
struct Cells {
    dropped: Counter,
    forgotten: Counter,
    waiting: Gauge,
}

/// The storage cannot be read, or what it holds is of no use.
#[derive(Debug, thiserror::Error)]
#[error("the stored state cannot be read: {0}; repair the storage, or remove it to start anew")]
pub struct Unreadable(BoxError);

impl<S: State> Durable<S> {
    /// Takes over what `storage` has of a former run. The stage reads its own keys and gives them as `state`.
    ///
    /// # Errors
    /// The storage cannot be read.
    pub async fn open(
        cx: &BuildCx,
        storage: Option<Arc<dyn Storage>>,
        clock: Clock,
        state: S,
    ) -> Result<Self, Unreadable> {
        let id = (cx.kind.as_str(), cx.id.as_str());
        let (mut outbox, mut seen) = (Outbox::default(), Seen::default());
        if let Some(storage) = &storage {
            let now = clock.now();
            for (key, value) in storage.scan(seen::PREFIX).await.map_err(Unreadable)? {
                seen.load(&key, &value, now);
            }
            let damaged = outbox.load(storage.scan(outbox::PREFIX).await.map_err(Unreadable)?);
            if damaged > 0 {
                tracing::error!(component = %cx.id, entries = damaged, "stored batches are damaged and lost");
            }
        }
        let dropped = "Items that the stage made and the pipeline behind it will never take.";
        let repeated = "Records that came again and were recognised by their uid.";
        let forgotten =
            "Uids given up before their time because there were too many; their repeats are not recognised.";
        let cells = Cells {
            dropped: cx.telemetry.counter("lanner_stage_dropped_items", dropped, "{item}", &[id]),
            forgotten: cx.telemetry.counter("lanner_stage_forgotten_uids", forgotten, "{record}", &[id]),
            waiting: cx.telemetry.gauge("lanner_stage_waiting", "Bytes that wait for the pipeline.", "By", &[id]),
        };
        let durable = Self {
            ready: AtomicU64::new(outbox.next()),
            waiting: AtomicUsize::new(outbox.bytes()),
            kept: Mutex::new(Kept {
                state,
                effects: Effects {
                    outbox,
                    seen,
                    clock: clock.clone(),
                    connected: Signals::ALL,
                    repeated: cx.telemetry.counter("lanner_stage_repeated_records", repeated, "{record}", &[id]),
                },
            }),
            storage,
            clock,
            asked: AtomicU64::new(0),
            written: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            cells,
        };
        Ok(durable)
    }

    /// Changes the state and emits. Short: everybody else waits.
    pub fn change<R>(&self, change: impl FnOnce(&mut S, &mut Effects) -> R) -> R {
        let mut kept = self.kept.lock();
        let Kept { state, effects } = &mut *kept;
        let result = change(state, effects);
        self.cells.forgotten.add(std::mem::take(&mut effects.seen.forgotten));
        if self.storage.is_none() {
            self.ready.store(effects.outbox.next(), SeqCst);
        }
        self.weigh(&effects.outbox);
        drop(kept);
        self.changed.notify_one();
        result
    }

    fn weigh(&self, outbox: &Outbox) {
        self.waiting.store(outbox.bytes(), Relaxed);
        self.cells.waiting.set(i64::try_from(outbox.bytes()).unwrap_or(i64::MAX));
    }

    /// For [`Stage::is_full`](crate::component::Stage::is_full).
    pub fn is_full(&self) -> bool {
        self.waiting.load(Relaxed) >= FULL
    }

    /// For [`Stage::is_durable`](crate::component::Stage::is_durable).
    pub fn is_durable(&self) -> bool {
        self.storage.is_some()
    }

    /// For [`Stage::persist`](crate::component::Stage::persist): returns once all changes before the call are on disk.
    ///
    /// # Errors
    /// The storage failed; the changes stay and are part of the next write.
    ///
    /// Cancel-safe: what was being written is written again, unchanged.
    pub async fn persist(&self) -> Result<(), BoxError> {
        let Some(storage) = &self.storage else { return Ok(()) };
        let ticket = self.asked.fetch_add(1, SeqCst) + 1;
        let mut written = self.written.lock().await;
        if written.answered >= ticket {
            return Ok(());
        }
        // Whoever has asked by now has made its changes before, so they are among those taken below.
        let asked = self.asked.load(SeqCst);
        let end = {
            let mut kept = self.kept.lock();
            let Kept { state, effects } = &mut *kept;
            let mut changes = Vec::new();
            state.changes(&mut changes);
            effects.seen.changes(self.clock.now(), &mut changes);
            effects.outbox.changes(&mut changes);
            written.unwritten.extend(changes);
            effects.outbox.next()
        };
        if !written.unwritten.is_empty() {
            let changes = written.unwritten.iter().map(|(key, value)| (key.clone(), value.clone()));
            storage.put(changes.collect()).await?;
            written.unwritten.clear();
        }
        written.answered = asked;
        self.ready.store(end, SeqCst);
        Ok(())
    }

    /// Hands on what is emitted, in order, until drained. What timers change is written here as well.
    pub async fn deliver(&self, out: &Consumer, drain: &Drain) {
        let connected = out.signals();
        self.change(|_, effects| effects.connected = connected);
        while !drain.is_requested() {
            if let Err(error) = self.persist().await {
                tracing::warn!(error, "the storage failed; trying again");
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => continue,
                    () = drain.requested() => return,
                }
            }
            let mut took = false;
            while let Some(batch) = self.first() {
                if !connected.contains(batch.signal()) {
                    self.taken();
                    continue;
                }
                let items = batch.len() as u64;
                match out.consume_patiently(batch, drain).await {
                    Ok(()) => self.taken(),
                    Err(Refused::Draining) => return,
                    Err(Refused::Busy { retry_after, .. }) => {
                        tokio::select! {
                            () = tokio::time::sleep(retry_after) => continue,
                            () = drain.requested() => return,
                        }
                    }
                    Err(refused @ Refused::Invalid(_)) => self.given_up(&refused, items),
                }
                took = true;
            }
            // What was taken is removed from the storage by the next round.
            if !(took && self.is_durable()) {
                tokio::select! {
                    () = self.changed.notified() => {}
                    () = drain.requested() => {}
                }
            }
        }
    }

    /// The last round, after drain: hands on what the pipeline takes, waiting up to `hold` for room. Returns the number of
    /// items that are left: kept for the next start with a storage, lost without one.
    pub async fn flush(&self, out: &Consumer, hold: Duration) -> usize {
        if let Err(error) = self.persist().await {
            tracing::warn!(error, "the storage failed; what was not acknowledged is not kept");
        }
        while let Some(batch) = self.first() {
            let items = batch.len() as u64;
            match out.consume_within(batch, hold).await {
                Ok(()) => self.taken(),
                Err(refused @ Refused::Invalid(_)) => self.given_up(&refused, items),
                Err(refused) => {
                    tracing::warn!(error = %refused, "the pipeline does not take the last of a stage");
                    break;
                }
            }
        }
        if let Err(error) = self.persist().await {
            tracing::warn!(error, "the storage failed; what was handed on last comes again");
        }
        self.kept.lock().effects.outbox.items()
    }

    fn first(&self) -> Option<Batch> {
        self.kept.lock().effects.outbox.first(self.ready.load(SeqCst))
    }

    /// The first batch can never be taken: the configuration has changed since it was made, say.
    fn given_up(&self, refused: &Refused, items: u64) {
        tracing::error!(error = %refused, items, "the pipeline will never take what the stage made");
        self.cells.dropped.add(items);
        self.taken();
    }

    fn taken(&self) {
        let mut kept = self.kept.lock();
        kept.effects.outbox.taken();
        self.weigh(&kept.effects.outbox);
    }
}
