//! The cursors of all containers, and their checkpoints, so that a restart goes on from there.
//!
//! Promises: a checkpoint covers only what the pipeline has accepted; a save that fails or is dropped is made up for by the
//! next; a container that is forgotten takes its checkpoint along, so that their number is that of the containers.
//! Without a storage they live as long as the process.

use super::{cursor::Cursor, metrics::Metrics};
use lanner_engine::{
    component::{Change, Storage},
    prelude::*,
};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// How often checkpoints are written.
const SAVE_EVERY: Duration = Duration::from_secs(1);
const PREFIX: &str = "container/";
/// Removals that wait for a storage that cannot be written.
const MAX_REMOVED: usize = 10_000;
/// Under this key: the first start with this storage, in nanoseconds since 1970.
const STARTED: &str = "started";

/// The cursors of one receiver.
pub struct Checkpoints {
    storage: Option<Arc<dyn Storage>>,
    /// What `start_at: end` leaves out is what was written before this, in nanoseconds since 1970.
    pub started: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the container's id.
    entries: HashMap<String, Entry>,
    /// Forgotten, but not in the storage.
    removed: HashSet<String>,
    /// Whether the storage knows the first start.
    started_saved: bool,
}

/// A cursor, and how often it had moved when it was saved.
struct Entry {
    cursor: Arc<Mutex<Cursor>>,
    saved: u64,
}

/// A storage that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the checkpoints cannot be read: {0}")]
pub struct Unreadable(BoxError);

/// What a save writes, and what is saved once it is written.
struct Save {
    changes: Vec<Change>,
    moves: Vec<(String, u64)>,
    removed: Vec<String>,
}

impl Checkpoints {
    /// Reads what an earlier process left; without that, this start (in nanoseconds since 1970) is the first.
    ///
    /// # Errors
    /// [`Unreadable`]: to start without them would repeat or lose lines.
    pub async fn load(storage: Option<Arc<dyn Storage>>, now: u64) -> Result<Self, Unreadable> {
        let (mut state, mut started) = (State::default(), now);
        if let Some(storage) = &storage {
            let first = storage.get(STARTED).await.map_err(Unreadable)?;
            if let Some(first) = first.and_then(|bytes| Some(u64::from_le_bytes(bytes[..].try_into().ok()?))) {
                (started, state.started_saved) = (first, true);
            }
            for (name, value) in storage.scan(PREFIX).await.map_err(Unreadable)? {
                match (name.strip_prefix(PREFIX), Cursor::decode(&value)) {
                    (Some(id), Some(cursor)) => {
                        state.entries.insert(id.to_owned(), Entry::new(cursor));
                    }
                    _ => tracing::warn!(name, "a checkpoint cannot be read; the container is read from its beginning"),
                }
            }
        }
        Ok(Self { storage, started, state: Mutex::new(state) })
    }

    /// The containers that have a cursor.
    pub fn containers(&self) -> Vec<String> {
        self.state.lock().entries.keys().cloned().collect()
    }

    /// The cursor of a container; a new one starts at `floor`. It is shared with whoever follows the container.
    pub fn open(&self, container: &str, floor: u64) -> Arc<Mutex<Cursor>> {
        let mut state = self.state.lock();
        state.removed.remove(container);
        let entry = state.entries.entry(container.to_owned());
        Arc::clone(&entry.or_insert_with(|| Entry::new(Cursor::starting_at(floor))).cursor)
    }

    /// Forgets a container that is gone.
    pub fn remove(&self, container: &str) {
        let mut state = self.state.lock();
        // What is left in the storage all the same is found by the next start.
        if state.entries.remove(container).is_some() && self.storage.is_some() && state.removed.len() < MAX_REMOVED {
            state.removed.insert(container.to_owned());
        }
    }

    /// Writes what has changed since the last save; returns once it is on disk. Cancel-safe.
    ///
    /// # Errors
    /// It could not be written, and will be tried again with the next call.
    pub async fn save(&self) -> Result<(), BoxError> {
        let Some(storage) = &self.storage else { return Ok(()) };
        let Save { changes, moves, removed } = self.unsaved();
        if changes.is_empty() {
            return Ok(());
        }
        storage.put(changes).await?;
        let mut state = self.state.lock();
        state.started_saved = true;
        for id in removed {
            state.removed.remove(&id);
        }
        for (id, saved) in moves {
            if let Some(entry) = state.entries.get_mut(&id) {
                entry.saved = saved;
            }
        }
        Ok(())
    }

    /// The same, and counts a failure; until the next save a crash repeats more lines.
    pub async fn save_or_tell(&self, metrics: &Metrics) {
        if let Err(error) = self.save().await {
            metrics.checkpoint_failures.add(1);
            tracing::warn!(error, "the checkpoints cannot be written; trying again");
        }
    }

    fn unsaved(&self) -> Save {
        let state = self.state.lock();
        let key = |id: &str| format!("{PREFIX}{id}");
        let mut save = Save { changes: Vec::new(), moves: Vec::new(), removed: Vec::new() };
        if !state.started_saved {
            save.changes.push((STARTED.to_owned(), Some(self.started.to_le_bytes().to_vec().into())));
        }
        for id in &state.removed {
            save.changes.push((key(id), None));
            save.removed.push(id.clone());
        }
        for (id, entry) in &state.entries {
            let cursor = entry.cursor.lock();
            if cursor.moves() != entry.saved {
                save.changes.push((key(id), Some(cursor.encode().into())));
                save.moves.push((id.clone(), cursor.moves()));
            }
        }
        save
    }
}

impl Entry {
    fn new(cursor: Cursor) -> Self {
        Self { saved: cursor.moves(), cursor: Arc::new(Mutex::new(cursor)) }
    }
}

/// Writes what has changed, once every [`SAVE_EVERY`], for ever. Cancel-safe.
pub async fn save_regularly(checkpoints: Arc<Checkpoints>, metrics: Metrics) {
    loop {
        tokio::time::sleep(SAVE_EVERY).await;
        checkpoints.save_or_tell(&metrics).await;
    }
}
