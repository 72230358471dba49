//! All files of a receiver: which are followed, which are open, and whose turn it is.
//!
//! Promises
//! - Where a path has become another file, the old one is read to its end first.
//! - At most `max_concurrent_files` are open; files take turns, so a large one holds nobody up.
//! - A batch is bounded in memory and in time.
//!
//! `discover` says which files there are. Everything here blocks, so it runs on threads for that.

use super::{
    checkpoints::{Checkpoint, Checkpoints},
    identity::FileKey,
    metrics::Trouble,
    read::Work,
    search::{Search, folder_of, siblings},
    shared::{Shared, Start},
    tail::Tail,
};
use crate::formats::Records;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::File,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// Memory of a batch, give or take a chunk.
const BATCH_BYTES: usize = 1 << 20;
/// Turns of a batch that read something: bounds the time when nothing of it is kept.
const BATCH_TURNS: usize = 256;
/// How long a file that cannot be found is looked for before it counts as gone.
const HIDDEN: Duration = Duration::from_secs(5);

/// The files of a receiver.
pub struct Files {
    pub(super) shared: Arc<Shared>,
    pub(super) search: Search,
    pub(super) tails: HashMap<FileKey, Tail>,
    /// The order of turns.
    pub(super) order: Vec<FileKey>,
    pub(super) next: usize,
    /// Which file each path was when it was looked at last.
    pub(super) by_path: HashMap<PathBuf, FileKey>,
    pub checkpoints: Checkpoints,
    /// What is not read, and where a file among it would begin.
    pub(super) troubles: BTreeMap<PathBuf, (Trouble, Start)>,
    pub(super) searched: bool,
    /// How many are open.
    pub(super) open: usize,
    pub(super) buffer: Vec<u8>,
}

/// What a round of turns came to.
pub struct Round {
    pub records: Records,
    /// How far files were read, for when the records were accepted.
    pub read: Vec<Checkpoint>,
}

impl Files {
    /// No files yet.
    pub fn new(shared: Arc<Shared>, search: Search, checkpoints: Checkpoints) -> Self {
        Self {
            shared,
            search,
            tails: HashMap::new(),
            order: Vec::new(),
            next: 0,
            by_path: HashMap::new(),
            checkpoints,
            troubles: BTreeMap::new(),
            searched: false,
            open: 0,
            buffer: Vec::new(),
        }
    }

    /// Gives turns until there is a batch, or nothing more to read.
    pub fn round(&mut self, now: Instant) -> Round {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        let held = self.tails.values().map(Tail::held_bytes).sum();
        let mut work = Work { now, wall, records: Records::default(), buffer: std::mem::take(&mut self.buffer), held };
        let mut touched = HashSet::new();
        let (mut idle, mut turns) = (0, 0);
        while idle < self.order.len() && work.records.bytes < BATCH_BYTES && turns < BATCH_TURNS {
            self.next %= self.order.len();
            let key = self.order[self.next];
            self.next += 1;
            if self.turn(key, &mut work) {
                touched.insert(key);
                (idle, turns) = (0, turns + 1);
            } else {
                idle += 1;
            }
        }
        self.shared.metrics.open_files.set(self.open as i64);
        self.buffer = std::mem::take(&mut work.buffer);
        self.buffer.shrink_to(1 << 20);
        let read = touched.iter().filter_map(|key| Some(self.tails.get(key)?.checkpoint())).collect();
        Round { records: work.records, read }
    }

    fn turn(&mut self, key: FileKey, work: &mut Work) -> bool {
        let waits = |tail: &Tail| {
            let before = tail.after.and_then(|before| self.tails.get(&before));
            before.is_some_and(|before| !before.at_end && !before.failing)
        };
        let Some(tail) = self.tails.get(&key) else { return false };
        if waits(tail) {
            // It must not keep a place that the one it waits for may need.
            self.make_room(key);
            return false;
        }
        if tail.file.is_none() && !tail.wants_turn(work.now) {
            return false;
        }
        if tail.file.is_none() && !self.reopen(key, work.now) {
            return false;
        }
        let Some(tail) = self.tails.get_mut(&key) else { return false };
        tail.after = None;
        let result = tail.turn(&self.shared, work);
        let done = match result {
            Ok(done) => {
                tail.failing = false;
                done
            }
            Err(error) => {
                if !std::mem::replace(&mut tail.failing, true) {
                    self.shared.metrics.trouble(Trouble::Unreadable);
                    tracing::warn!(path = %tail.path.display(), %error, "a file cannot be read; trying again");
                }
                false
            }
        };
        if !done {
            self.make_room(key);
        }
        done
    }

    /// Closes a file for which there is nothing to do, when others may need its place.
    fn make_room(&mut self, key: FileKey) {
        if self.tails.len() > self.shared.max_open
            && self.tails.get_mut(&key).is_some_and(|tail| tail.file.take().is_some())
        {
            self.open -= 1;
        }
    }

    /// Opens a file again that was closed to make room.
    fn reopen(&mut self, key: FileKey, now: Instant) -> bool {
        if self.open >= self.shared.max_open {
            return false;
        }
        let Some(tail) = self.tails.get_mut(&key) else { return false };
        if tail.sought == Some(now) {
            return false;
        }
        let is_it = |file: &File| file.metadata().is_ok_and(|metadata| FileKey::of(&metadata) == key);
        let opened = (self.shared.open)(&tail.path).ok().filter(is_it);
        let opened = opened.or_else(|| {
            let (path, _) = siblings(&folder_of(&tail.path)?, &[key]).pop()?;
            (self.shared.open)(&path).ok().filter(is_it)
        });
        let Some(file) = opened else {
            tail.sought = Some(now);
            // A writer that renames while the folder is read hides a file; one that stays hidden is gone.
            if now.saturating_duration_since(*tail.hidden.get_or_insert(now)) < HIDDEN {
                return false;
            }
            if tail.unread() > 0 {
                // Renamed to another folder, or deleted.
                self.shared.metrics.trouble(Trouble::RotatedAway);
                self.shared.metrics.lost_bytes.add(tail.unread());
                tracing::warn!(path = %tail.path.display(), "a file is gone before all of it was read");
            }
            self.checkpoints.gone(&[key]);
            self.tails.remove(&key);
            return false;
        };
        if let Some(tail) = self.tails.get_mut(&key) {
            (tail.file, tail.hidden) = (Some(file), None);
            self.open += 1;
        }
        true
    }

    /// Notes how far the pipeline has accepted what was read.
    pub fn accept(&mut self, read: Vec<Checkpoint>) {
        read.into_iter().for_each(|checkpoint| self.checkpoints.note(checkpoint));
    }
}
