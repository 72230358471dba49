//! The alerts that are open at PagerDuty, and when they have been quiet for long enough.
//!
//! Promises: an alert is noted (and stored, with a storage) before its first event is sent, so that none stays open because
//! the process ended in between; closing one that PagerDuty does not know does nothing there. At most [`MOST`] are
//! noted; events of further ones are sent all the same, counted, and left for people to close.

use lanner_engine::{prelude::*, telemetry::Counter};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// Most alerts that are noted.
pub const MOST: usize = 10_000;
/// The stored time of an alert is written anew after this time; so much earlier an alert may close after a crash.
const STORE_EVERY: Duration = Duration::from_secs(20);
/// After a start, what waits in the queue comes before what was quiet for long.
const GRACE: Duration = Duration::from_secs(60);
const PREFIX: &str = "open/";

/// The open alerts.
pub struct Open {
    quiet: Duration,
    alerts: HashMap<String, Alert>,
    /// When each is due, the earliest first.
    due: BTreeSet<(Instant, String)>,
    storage: Option<Arc<dyn Storage>>,
    cells: Cells,
}

/// Own metrics.
pub struct Cells {
    pub unnoted: Counter,
    pub failures: Counter,
}

struct Alert {
    due: Instant,
    stored: Instant,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    /// When its last event came, in seconds since 1970.
    last: u64,
}

impl Open {
    /// Reads what earlier runs left open.
    ///
    /// # Errors
    /// The storage cannot be read.
    pub async fn load(quiet: Duration, storage: Option<Arc<dyn Storage>>, cells: Cells) -> Result<Self, BoxError> {
        let mut open = Self { quiet, alerts: HashMap::new(), due: BTreeSet::new(), storage: storage.clone(), cells };
        let Some(storage) = storage else { return Ok(open) };
        let (now, today) = (Instant::now(), seconds());
        for (name, value) in storage.scan(PREFIX).await? {
            // What cannot be read is closed as soon as may be.
            let last = serde_json::from_slice::<Stored>(&value).map_or(0, |stored| stored.last);
            let left = quiet.saturating_sub(Duration::from_secs(today.saturating_sub(last)));
            if let Some(key) = name.strip_prefix(PREFIX) {
                open.set(key, now + left.max(GRACE), now);
            }
        }
        Ok(open)
    }

    /// An event of the alert came, or is still on its way for `longer`: the quiet begins anew. Before a first event is sent.
    pub async fn note(&mut self, key: &str, longer: Duration) {
        let now = Instant::now();
        let due = now + self.quiet + longer;
        let stored = self.alerts.get(key).map(|alert| alert.stored);
        if stored.is_none() && self.alerts.len() >= MOST {
            return self.cells.unnoted.add(1);
        }
        let is_current = stored.is_some_and(|stored| now.saturating_duration_since(stored) < STORE_EVERY);
        self.set(key, due, stored.filter(|_| is_current).unwrap_or(now));
        if !is_current {
            let value = serde_json::to_vec(&Stored { last: seconds() + longer.as_secs() }).unwrap_or_default();
            self.put(key, Some(value)).await;
        }
    }

    /// The alert is closed.
    pub async fn closed(&mut self, key: &str) {
        if let Some(alert) = self.alerts.remove(key) {
            self.due.remove(&(alert.due, key.to_owned()));
            self.put(key, None).await;
        }
    }

    /// Looks at an alert again after `pause`.
    pub fn later(&mut self, key: &str, pause: Duration) {
        if let Some(stored) = self.alerts.get(key).map(|alert| alert.stored) {
            self.set(key, Instant::now() + pause, stored);
        }
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.alerts.len()
    }

    /// When the next alert is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The alert that has been quiet for longest, if it is due.
    pub fn quiet(&self) -> Option<String> {
        self.due.first().filter(|(due, _)| *due <= Instant::now()).map(|(_, key)| key.clone())
    }

    fn set(&mut self, key: &str, due: Instant, stored: Instant) {
        if let Some(before) = self.alerts.insert(key.to_owned(), Alert { due, stored }) {
            self.due.remove(&(before.due, key.to_owned()));
        }
        self.due.insert((due, key.to_owned()));
    }

    async fn put(&self, key: &str, value: Option<Vec<u8>>) {
        let Some(storage) = &self.storage else { return };
        if let Err(error) = storage.put(vec![(format!("{PREFIX}{key}"), value.map(Into::into))]).await {
            self.cells.failures.add(1);
            tracing::warn!(%error, "what is open at PagerDuty could not be stored; a restart may leave alerts open");
        }
    }
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
