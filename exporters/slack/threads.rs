//! Which message tells of which incident: what threads and updates are hung on.
//!
//! Promises: at most [`MOST`] are known, and those that were used last; with a storage they survive a restart, as soon as
//! the message that began them has been answered for. A storage that fails costs threads, not messages.

use bytes::Bytes;
use lanner_engine::{prelude::*, semantics::uid::Digest, telemetry::Counter};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// Most threads that are known.
const MOST: usize = 10_000;
/// Threads that nobody used for so long are forgotten when the exporter starts.
const KEPT_SECONDS: u64 = 7 * 24 * 3600;
const PREFIX: &str = "thread/";

/// A message and what hangs on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    pub channel: String,
    /// The message at the top.
    pub ts: String,
    /// The message that shows the state, when there is one; it is the one that is changed.
    pub report: Option<String>,
    /// When it was last used, in seconds since 1970.
    used: u64,
}

/// The threads that are known.
pub struct Threads {
    known: HashMap<String, (Thread, u64)>,
    /// By use, the oldest first.
    order: BTreeMap<u64, String>,
    uses: u64,
    storage: Option<Arc<dyn Storage>>,
    failures: Counter,
}

impl Threads {
    /// Reads what earlier runs knew.
    ///
    /// # Errors
    /// The storage cannot be read.
    pub async fn load(storage: Option<Arc<dyn Storage>>, failures: Counter) -> Result<Self, BoxError> {
        let mut threads =
            Self { known: HashMap::new(), order: BTreeMap::new(), uses: 0, storage: storage.clone(), failures };
        let Some(storage) = storage else { return Ok(threads) };
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        for (name, value) in storage.scan(PREFIX).await? {
            match serde_json::from_slice::<Thread>(&value) {
                Ok(thread) if thread.used + KEPT_SECONDS > now() => kept.push((name, thread)),
                // Old, or written by a version that is not known.
                _ => gone.push((name, None)),
            }
        }
        kept.sort_by_key(|(_, thread)| thread.used);
        let too_many = kept.len().saturating_sub(MOST);
        gone.extend(kept.drain(..too_many).map(|(name, _)| (name, None)));
        for (name, thread) in kept {
            threads.remember(name, thread);
        }
        if !gone.is_empty() {
            storage.put(gone).await?;
        }
        Ok(threads)
    }

    /// The thread of `key`.
    pub fn get(&mut self, key: &str) -> Option<Thread> {
        let name = name(key);
        let thread = self.known.get(&name)?.0.clone();
        self.remember(name, thread.clone());
        Some(thread)
    }

    /// Notes the message at the top of `key`, which is the report itself when `is_report`.
    pub async fn began(&mut self, key: &str, channel: String, ts: String, is_report: bool) {
        let report = is_report.then(|| ts.clone());
        self.note(key, Thread { channel, ts, report, used: now() }).await;
    }

    /// Notes the report in a thread that began with something else.
    pub async fn reported(&mut self, key: &str, thread: Thread, ts: String) {
        self.note(key, Thread { report: Some(ts), used: now(), ..thread }).await;
    }

    /// Forgets a thread that is not there any more.
    pub async fn forget(&mut self, key: &str) {
        let name = name(key);
        if let Some((_, used)) = self.known.remove(&name) {
            self.order.remove(&used);
            self.put(vec![(name, None)]).await;
        }
    }

    async fn note(&mut self, key: &str, thread: Thread) {
        let name = name(key);
        let value = serde_json::to_vec(&thread).map(Bytes::from).ok();
        let mut changes = vec![(name.clone(), value)];
        changes.extend(self.remember(name, thread).map(|oldest| (oldest, None)));
        self.put(changes).await;
    }

    /// Gives back the one that had to go for it.
    fn remember(&mut self, name: String, thread: Thread) -> Option<String> {
        self.uses += 1;
        if let Some((_, before)) = self.known.insert(name.clone(), (thread, self.uses)) {
            self.order.remove(&before);
        }
        self.order.insert(self.uses, name);
        if self.known.len() <= MOST {
            return None;
        }
        let (_, oldest) = self.order.pop_first()?;
        self.known.remove(&oldest);
        Some(oldest)
    }

    async fn put(&self, changes: Vec<(String, Option<Bytes>)>) {
        let Some(storage) = &self.storage else { return };
        if let Err(error) = storage.put(changes).await {
            self.failures.add(1);
            tracing::warn!(%error, "threads of Slack could not be stored; after a restart they begin anew");
        }
    }
}

/// Keys come out of events and may be long.
fn name(key: &str) -> String {
    let mut digest = Digest::new("slack.thread");
    digest.part(key.as_bytes());
    format!("{PREFIX}{}", digest.finish())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
