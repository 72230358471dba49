//! The pipeline behind the receiver: with a gate, a pace and a memory budget; it remembers the ids of what it took.

use lanner_engine::{
    component::{Admission, Intake, Room, Taking},
    prelude::*,
    semantics::keys,
};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, watch};

pub struct Sink {
    open: watch::Sender<bool>,
    /// Batches at once.
    lanes: Semaphore,
    /// How long each takes to be acknowledged after it was taken, in milliseconds.
    pace: AtomicU64,
    budget: usize,
    admitted: Arc<AtomicUsize>,
    most_admitted: AtomicUsize,
    /// How often each id came.
    taken: Mutex<BTreeMap<String, usize>>,
}

impl Sink {
    /// Takes everything at once, with room for `budget` bytes of requests.
    pub fn new(budget: usize) -> Self {
        Self::paced(budget, Semaphore::MAX_PERMITS, Duration::ZERO)
    }

    /// Takes `lanes` batches at once, and acknowledges each after `pace`.
    pub fn paced(budget: usize, lanes: usize, pace: Duration) -> Self {
        Self {
            open: watch::Sender::new(true),
            lanes: Semaphore::new(lanes),
            pace: AtomicU64::new(pace.as_millis() as u64),
            budget,
            admitted: Arc::default(),
            most_admitted: AtomicUsize::new(0),
            taken: Mutex::default(),
        }
    }

    /// Full from now on, or not.
    pub fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }

    /// Acknowledges at once from now on.
    pub fn hurry(&self) {
        self.pace.store(0, Relaxed);
    }

    fn remember(&self, batch: &Batch) {
        let mut taken = self.taken.lock();
        for record in batch.records() {
            let uid = record.attrs.get_str(&keys::UID).unwrap_or_default();
            *taken.entry(uid.to_owned()).or_default() += 1;
        }
    }

    pub fn taken(&self) -> BTreeMap<String, usize> {
        self.taken.lock().clone()
    }

    pub fn most_admitted(&self) -> usize {
        self.most_admitted.load(Relaxed)
    }

    pub fn admitted(&self) -> usize {
        self.admitted.load(Relaxed)
    }
}

fn busy() -> Refused {
    Refused::Busy { full: "the test".into(), retry_after: Duration::from_secs(1) }
}

impl Intake for Sink {
    fn take(&self, batch: Batch, hold: Duration) -> Taking<'_> {
        Taking::waits(async move {
            let mut open = self.open.subscribe();
            let enter = async {
                let _ = open.wait_for(|open| *open).await;
                self.lanes.acquire().await
            };
            let Ok(Ok(_lane)) = tokio::time::timeout(hold, enter).await else { return Err(busy()) };
            self.remember(&batch);
            let pace = self.pace.load(Relaxed);
            if pace > 0 {
                tokio::time::sleep(Duration::from_millis(pace)).await;
            }
            Ok(())
        })
    }

    fn take_patiently<'t>(&'t self, batch: Batch, _: &'t Drain) -> Taking<'t> {
        self.take(batch, Duration::MAX)
    }

    fn admit(&self, bytes: usize) -> Result<Admission, Refused> {
        let now = self.admitted.fetch_add(bytes, Relaxed) + bytes;
        let room = Admission::new(Arc::clone(&self.admitted) as Arc<dyn Room>, bytes);
        if now > self.budget {
            return Err(busy());
        }
        self.most_admitted.fetch_max(now, Relaxed);
        Ok(room)
    }

    fn failed(&self, _: u64, _: &'static str) {}
}
