//! A sink that judges requests by the names of their records, and remembers what it took.

use super::*;
use crate::event::Value;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tokio::time::Instant;

type Verdict = Box<dyn Fn(&Request, &[String]) -> Outcome + Send + Sync>;

/// Answers each attempt as `verdict` says.
pub(super) struct Judge {
    verdict: Verdict,
    latency: Duration,
    /// Records that were delivered, in order, twice if they were.
    pub got: Mutex<Vec<String>>,
    /// When each attempt began, and with how many records.
    pub attempts: Mutex<Vec<(Instant, usize)>>,
    in_flight: AtomicUsize,
    /// Most attempts at once since this was set to 0.
    pub most: AtomicUsize,
}

impl Judge {
    pub fn new(verdict: impl Fn(&Request, &[String]) -> Outcome + Send + Sync + 'static) -> Self {
        Self {
            verdict: Box::new(verdict),
            latency: Duration::ZERO,
            got: Mutex::default(),
            attempts: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }
    }

    /// Refuses requests with a record of which `bad` says so.
    pub fn refusing(bad: impl Fn(&str) -> bool + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self::new(move |_, names| match names.iter().find(|name| bad(name)) {
            Some(name) => Outcome::Reject { reason: format!("HTTP 400: {name} is bad") },
            None => Outcome::Delivered,
        }))
    }

    /// One whose answers take so long.
    pub fn slow(latency: Duration, verdict: impl Fn(&Request, &[String]) -> Outcome + Send + Sync + 'static) -> Self {
        Self { latency, ..Self::new(verdict) }
    }

    pub fn requests(&self) -> usize {
        self.attempts.lock().len()
    }

    pub fn sorted(&self) -> Vec<String> {
        let mut got = self.got.lock().clone();
        got.sort();
        got
    }
}

#[async_trait]
impl Exporter for Judge {
    async fn export(&self, request: &Request) -> Outcome {
        let names = names(request);
        self.attempts.lock().push((Instant::now(), request.items()));
        self.most.fetch_max(self.in_flight.fetch_add(1, SeqCst) + 1, SeqCst);
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        self.in_flight.fetch_sub(1, SeqCst);
        let outcome = (self.verdict)(request, &names);
        if outcome == Outcome::Delivered {
            self.got.lock().extend(names);
        }
        outcome
    }
}

/// The names of a request's records: their bodies.
pub(super) fn names(request: &Request) -> Vec<String> {
    let records = request.logs().unwrap().groups.iter().flat_map(|group| &group.records);
    records.map(|record| record.body.as_str().unwrap_or_default().to_owned()).collect()
}

/// A batch of records with these names.
pub(super) fn named(names: impl IntoIterator<Item = String>) -> Batch {
    let mut logs = Logs::default();
    for name in names {
        let record = LogRecord { body: Value::text(name), ..LogRecord::default() };
        logs.push(Arc::default(), Arc::default(), record);
    }
    Batch::logs(logs)
}

/// `000` to one less than `count`.
pub(super) fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("{number:03}"))
}

/// Waits until no item is queued, on a paused or a real clock.
pub(super) async fn quiet(bench: &Bench) {
    let over = || bench.ledger.rows().iter().all(|row| row.queued == 0);
    let waiting = tokio::time::timeout(Duration::from_secs(120), async {
        while !over() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(waiting.await.is_ok(), "{}", bench.ledger);
}
