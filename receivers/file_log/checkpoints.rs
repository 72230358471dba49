//! How far files were read and accepted, so that a restart goes on from there.
//!
//! Promises: a checkpoint covers only what the pipeline has accepted; a file is recognised after renames, and a new file
//! that got an old inode is not taken for the old one; the number of checkpoints is bounded.
//! Without a storage they live as long as the process.

use super::identity::{FileKey, Fingerprint};
use lanner_engine::{
    component::{Change, Storage},
    prelude::*,
};
use std::{
    collections::{BTreeSet, HashMap},
    fs::File,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// How long a file may be away before it counts as a new one, in seconds.
const REMEMBERED: u64 = 24 * 3600;
const PREFIX: &str = "file/";

/// How far a file was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The first byte that was not read.
    pub offset: u64,
    /// It lies inside a line that was too long and of which the rest is left out.
    pub skipping: bool,
    /// Where a line of each stream begins that a container runtime writes in parts and that is not complete.
    pub held: [Option<u64>; 2],
}

/// A file and how far it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub key: FileKey,
    pub fingerprint: Fingerprint,
    pub cursor: Cursor,
    /// Where it was found last.
    pub path: String,
    /// Since when nothing is found there, in seconds since 1970.
    pub gone: Option<u64>,
}

/// The checkpoints of one receiver.
pub struct Checkpoints {
    entries: HashMap<FileKey, Checkpoint>,
    changed: BTreeSet<FileKey>,
    storage: Option<Arc<dyn Storage>>,
    most: usize,
    /// Whether an earlier process left some.
    pub resumed: bool,
}

/// A storage that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the checkpoints cannot be read: {0}")]
pub struct Unreadable(BoxError);

impl Checkpoints {
    /// Reads what an earlier process left. Keeps at most `most` of files that are gone.
    ///
    /// # Errors
    /// [`Unreadable`]: to start without them would repeat or lose lines.
    pub async fn load(storage: Option<Arc<dyn Storage>>, most: usize) -> Result<Self, Unreadable> {
        let mut entries = HashMap::new();
        if let Some(storage) = &storage {
            for (name, value) in storage.scan(PREFIX).await.map_err(Unreadable)? {
                match serde_json::from_slice::<Checkpoint>(&value) {
                    Ok(entry) => {
                        entries.insert(entry.key, entry);
                    }
                    Err(error) => tracing::warn!(name, %error, "a checkpoint cannot be read; the file counts as new"),
                }
            }
        }
        let resumed = !entries.is_empty();
        Ok(Self { entries, changed: BTreeSet::new(), storage, most, resumed })
    }

    /// The checkpoint of an open file.
    pub fn of(&self, key: FileKey, file: &File) -> Option<&Checkpoint> {
        let fits = |entry: &&Checkpoint| entry.fingerprint.fits(file).unwrap_or(false);
        // A device may get another number when the machine starts; then the beginning of the file must speak for it.
        let elsewhere = |entry: &&Checkpoint| entry.key.inode == key.inode && entry.fingerprint.bytes() > 0;
        let known = self.entries.get(&key).filter(fits);
        known.or_else(|| self.entries.values().filter(elsewhere).find(fits))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Checkpoint> {
        self.entries.values()
    }

    /// Notes how far a file was read and accepted.
    pub fn note(&mut self, entry: Checkpoint) {
        if self.entries.get(&entry.key) != Some(&entry) {
            self.changed.insert(entry.key);
            self.entries.insert(entry.key, entry);
        }
    }

    /// Forgets a file that no longer exists.
    pub fn forget(&mut self, key: FileKey) {
        if self.entries.remove(&key).is_some() {
            self.changed.insert(key);
        }
    }

    /// Notes that a file is not found any more, and forgets those that have been away for long.
    pub fn gone(&mut self, keys: &[FileKey]) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        for key in keys {
            if let Some(entry) = self.entries.get_mut(key)
                && entry.gone.is_none()
            {
                entry.gone = Some(now);
                self.changed.insert(*key);
            }
        }
        let mut away: Vec<(u64, FileKey)> =
            self.entries.values().filter_map(|entry| Some((entry.gone?, entry.key))).collect();
        away.sort_unstable();
        let over = away.len().saturating_sub(self.most);
        for (index, (since, key)) in away.into_iter().enumerate() {
            if index < over || since + REMEMBERED < now {
                self.forget(key);
            }
        }
    }

    /// Whether something was noted that is not written.
    pub fn unsaved(&self) -> bool {
        self.storage.is_some() && !self.changed.is_empty()
    }

    /// Writes what was noted; returns once it is on disk.
    ///
    /// # Errors
    /// It could not be written, and will be tried again with the next call.
    pub async fn save(&mut self) -> Result<(), BoxError> {
        let Some(storage) = &self.storage else {
            self.changed.clear();
            return Ok(());
        };
        let mut changes: Vec<Change> = Vec::with_capacity(self.changed.len());
        for key in &self.changed {
            let value = self.entries.get(key).map(serde_json::to_vec).transpose()?;
            changes.push((format!("{PREFIX}{:x}-{:x}", key.device, key.inode), value.map(Into::into)));
        }
        storage.put(changes).await?;
        self.changed.clear();
        Ok(())
    }
}
