//! `Capture`: the consumer of a test.
//!
//! Promises: behaves as the engine does (all or nothing, waits up to `hold`), records everything that was taken,
//! failed or admitted, and lets a test wait for it without sleeping.
//!
//! ```
//! # use lanner_engine::{prelude::*, testing::Capture};
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let capture = Capture::new();
//! capture.consumer().consume(Batch::logs(Logs::default())).await?;
//! assert_eq!(capture.batches().len(), 1);
//! # Ok::<(), Refused>(())
//! # }).unwrap();
//! ```

use crate::{
    component::{Admission, Consumer, Drain, Intake, Refused, Room, Taking},
    event::{Batch, LogRecord, Signals},
};

use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::watch;

/// What a refusing capture tells the sender to wait.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How a [`Capture`] answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// Takes everything.
    #[default]
    Taking,
    /// As with a component that looks at records: takes what can be decoded.
    Reading,
    /// As with full queues: waits up to `hold` for a better mood, then refuses.
    Busy,
    /// As with a used-up memory budget: admits nothing, but takes what was admitted.
    NoRoom,
    /// As while stopping.
    Draining,
    /// Never answers until the mood changes: for tests that stop in the middle.
    Stuck,
}

/// Records what a component consumes. Clones share the records.
#[derive(Clone, Debug)]
pub struct Capture(Arc<State>);

#[derive(Debug)]
struct State {
    mood: watch::Sender<Mood>,
    /// Batches taken so far; also wakes those who wait.
    taken: watch::Sender<Vec<Batch>>,
    /// Calls of `take` that have not returned.
    waiting: watch::Sender<usize>,
    /// Calls of `admit` that were refused.
    turned_away: watch::Sender<usize>,
    failed: Mutex<BTreeMap<&'static str, u64>>,
    /// Items of batches that were refused.
    refused: AtomicUsize,
    admitted: Arc<AtomicUsize>,
    /// The most that was out at once.
    most_admitted: AtomicUsize,
    signals: Signals,
}

impl Default for Capture {
    fn default() -> Self {
        Self::new()
    }
}

impl Capture {
    /// A capture that takes everything.
    pub fn new() -> Self {
        Self::connected(Signals::ALL)
    }

    /// A capture with pipelines for these signals only, as [`Consumer::signals`] tells it.
    pub fn connected(signals: Signals) -> Self {
        Self(Arc::new(State {
            mood: watch::Sender::default(),
            taken: watch::Sender::default(),
            waiting: watch::Sender::default(),
            turned_away: watch::Sender::default(),
            failed: Mutex::default(),
            refused: AtomicUsize::new(0),
            most_admitted: AtomicUsize::new(0),
            admitted: Arc::default(),
            signals,
        }))
    }

    /// What the component under test is given.
    pub fn consumer(&self) -> Consumer {
        Consumer::new(Arc::clone(&self.0) as Arc<dyn Intake>)
    }

    /// Answers like this from now on; calls that wait see it at once.
    pub fn set(&self, mood: Mood) {
        self.0.mood.send_replace(mood);
    }

    /// Everything that was taken.
    pub fn batches(&self) -> Vec<Batch> {
        self.0.taken.borrow().clone()
    }

    /// The records of everything that was taken.
    pub fn records(&self) -> Vec<LogRecord> {
        self.0.taken.borrow().iter().flat_map(|batch| batch.records().cloned()).collect()
    }

    /// Returns once at least `count` items were taken; wrap it in a timeout.
    pub async fn items(&self, count: usize) {
        let enough = |taken: &Vec<Batch>| taken.iter().map(Batch::len).sum::<usize>() >= count;
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.0.taken.subscribe().wait_for(enough).await;
    }

    /// Returns once `count` calls wait for an answer; wrap it in a timeout.
    pub async fn waiting(&self, count: usize) {
        let _ = self.0.waiting.subscribe().wait_for(|waiting| *waiting >= count).await;
    }

    /// Returns once `count` requests for room were refused; wrap it in a timeout.
    pub async fn turned_away(&self, count: usize) {
        let _ = self.0.turned_away.subscribe().wait_for(|refused| *refused >= count).await;
    }

    /// What was counted as failed, by reason.
    pub fn failed(&self) -> BTreeMap<&'static str, u64> {
        self.0.failed.lock().clone()
    }

    /// Items of batches that were refused: the engine would have counted them.
    pub fn refused(&self) -> usize {
        self.0.refused.load(Relaxed)
    }

    /// The most bytes of room that were ever out at once.
    pub fn most_admitted(&self) -> usize {
        self.0.most_admitted.load(Relaxed)
    }

    /// Bytes of room that are given out and not yet given back.
    pub fn admitted(&self) -> usize {
        self.0.admitted.load(Relaxed)
    }
}

/// Counts what is out.
impl Room for AtomicUsize {
    fn give_back(&self, bytes: usize) {
        self.fetch_sub(bytes, Relaxed);
    }
}

/// Counts a waiting call, also when it is cancelled.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

fn busy() -> Refused {
    Refused::Busy { full: "the test".into(), retry_after: RETRY_AFTER }
}

impl Intake for State {
    fn take_patiently<'t>(&'t self, batch: Batch, drain: &'t Drain) -> Taking<'t> {
        Taking::waits(async move {
            let items = batch.len();
            tokio::select! {
                biased;
                taken = self.take(batch, Duration::MAX) => taken,
                () = drain.requested() => {
                    self.refused.fetch_add(items, Relaxed);
                    Err(Refused::Draining)
                }
            }
        })
    }

    fn take(&self, batch: Batch, hold: Duration) -> Taking<'_> {
        Taking::waits(async move {
            self.waiting.send_modify(|waiting| *waiting += 1);
            let _waiting = Waiting(&self.waiting);
            let mut mood = self.mood.subscribe();
            let _ = mood.wait_for(|mood| *mood != Mood::Stuck).await;
            let better = mood.wait_for(|mood| *mood != Mood::Busy);
            let now = match tokio::time::timeout(hold, better).await {
                Ok(Ok(mood)) => *mood,
                _ => Mood::Busy,
            };
            let decoded = match now {
                Mood::Reading => batch.clone().decode().map(drop),
                _ => Ok(()),
            };
            let refused = match (now, decoded) {
                (_, Err(error)) => Refused::Invalid(error.to_string()),
                (Mood::Busy | Mood::Stuck, _) => busy(),
                (Mood::Draining, _) => Refused::Draining,
                (Mood::Taking | Mood::NoRoom | Mood::Reading, _) => {
                    self.taken.send_modify(|taken| taken.push(batch));
                    return Ok(());
                }
            };
            self.refused.fetch_add(batch.len(), Relaxed);
            Err(refused)
        })
    }

    fn admit(&self, bytes: usize) -> Result<Admission, Refused> {
        let refused = match *self.mood.borrow() {
            Mood::NoRoom => busy(),
            Mood::Draining => Refused::Draining,
            Mood::Taking | Mood::Reading | Mood::Busy | Mood::Stuck => {
                let out = self.admitted.fetch_add(bytes, Relaxed) + bytes;
                self.most_admitted.fetch_max(out, Relaxed);
                return Ok(Admission::new(Arc::clone(&self.admitted) as Arc<dyn Room>, bytes));
            }
        };
        self.turned_away.send_modify(|refused| *refused += 1);
        Err(refused)
    }

    fn signals(&self) -> Signals {
        self.signals
    }

    fn failed(&self, items: u64, reason: &'static str) {
        *self.failed.lock().entry(reason).or_default() += items;
    }
}
