//! All files of a receiver: which are followed, which are open, and whose turn it is.
//!
//! Promises
//! - A file is followed from when a pattern first finds it until it has been gone for [`LINGER`] and all of it was read.
//! - Where a path has become another file, the old one is read to its end first.
//! - At most `max_concurrent_files` are open and `max_files` followed; files take turns, so a large one holds nobody up.
//! - A file that cannot be read costs itself; it is reported and counted once, and tried again with every search.
//!
//! Everything here blocks, so it runs on threads for that.

use super::{
    blocks,
    checkpoints::{Checkpoint, Checkpoints},
    follow::Shared,
    identity::FileKey,
    metrics::Trouble,
    search::{Found, Obstacle, Search},
    tail::{Start, Tail, Work},
};
use crate::formats::Records;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{DirEntry, File},
    io,
    os::unix::fs::{DirEntryExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// How long a file that is gone is still read: a writer goes on until it notices the rotation.
pub const LINGER: Duration = Duration::from_secs(30);
/// Memory of a batch, give or take a chunk.
const BATCH_BYTES: usize = 1 << 20;
/// Turns of a batch that read something: bounds the time when nothing of it is kept.
const BATCH_TURNS: usize = 256;
/// Entries of a folder that are looked at for a file that was renamed.
const MAX_SIBLINGS: usize = 100_000;
/// How compressed files begin: gzip, zstd, xz, bzip2.
const COMPRESSED: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh"];

/// The files of a receiver.
pub struct Files {
    shared: Arc<Shared>,
    search: Search,
    tails: HashMap<FileKey, Tail>,
    /// The order of turns.
    order: Vec<FileKey>,
    next: usize,
    /// Which file each path was when it was looked at last.
    by_path: HashMap<PathBuf, FileKey>,
    pub checkpoints: Checkpoints,
    /// What is not read, and where a file among it would begin.
    troubles: BTreeMap<PathBuf, (Trouble, Start)>,
    searched: bool,
    /// How many are open.
    open: usize,
    buffer: Vec<u8>,
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

    /// Looks for files that are new, gone or renamed.
    pub fn search(&mut self, now: Instant) {
        let mut obstacles = Vec::new();
        let found = self.search.walk(|path, obstacle| obstacles.push((path.to_owned(), obstacle)));
        let before = std::mem::take(&mut self.troubles);
        for (path, obstacle) in obstacles {
            let trouble = match obstacle {
                Obstacle::SymlinkLoop => Trouble::SymlinkLoop,
                Obstacle::PermissionDenied => Trouble::PermissionDenied,
                Obstacle::Unreadable => Trouble::Unreadable,
                Obstacle::TooManyEntries => Trouble::TooManyEntries,
            };
            self.trouble(&before, path, trouble, Start::Beginning);
        }
        let (mut listed, mut seen) = (Vec::new(), HashSet::new());
        for (path, Found { key, size }) in found {
            // Another name of a file that is known already.
            if !seen.insert(key) {
                continue;
            }
            let old = self.by_path.insert(path.clone(), key).filter(|old| *old != key);
            let after = old.filter(|old| self.tails.contains_key(old));
            if let Some(tail) = after.and_then(|old| self.tails.get_mut(&old)) {
                // Whether it is at its end is to be found out anew.
                (tail.replaced, tail.at_end) = (true, false);
                self.shared.metrics.rotations.add(1);
            }
            match self.tails.get_mut(&key) {
                Some(tail) => (tail.path, tail.listed, tail.missing) = (path, size, None),
                None => listed.push((path, key, after)),
            }
        }
        for tail in self.tails.values_mut().filter(|tail| !seen.contains(&tail.key)) {
            tail.missing.get_or_insert(now);
        }
        for (path, key, after) in listed {
            let start = before.get(&path).map_or_else(|| self.start(), |(_, start)| *start);
            if self.tails.len() >= self.shared.max_files {
                self.trouble(&before, path, Trouble::MaxFiles, start);
                continue;
            }
            if let Err((trouble, error)) = self.adopt(&path, key, start, after, now) {
                let known = before.get(&path).is_some_and(|(known, _)| *known == trouble);
                if let (Some(error), false) = (error, known) {
                    tracing::warn!(path = %path.display(), %error, "a file cannot be read; trying again");
                }
                self.trouble(&before, path, trouble, start);
            }
        }
        if !std::mem::replace(&mut self.searched, true) {
            self.find_what_was_renamed(now);
        }
        self.let_go(now);
        self.by_path.retain(|_, key| self.tails.contains_key(key));
        self.order.retain(|key| self.tails.contains_key(key));
        let unread: u64 = self.tails.values().map(Tail::unread).sum();
        self.shared.metrics.unread_bytes.set(i64::try_from(unread).unwrap_or(i64::MAX));
        self.shared.metrics.files.set(self.tails.len() as i64);
    }

    /// Where a file begins that is found now and was never read. One that came while nobody looked is new.
    fn start(&self) -> Start {
        if self.searched || self.checkpoints.resumed { Start::Beginning } else { self.shared.start_at }
    }

    /// Reports a file or folder that is not read, once.
    fn trouble(&mut self, before: &BTreeMap<PathBuf, (Trouble, Start)>, path: PathBuf, trouble: Trouble, start: Start) {
        if before.get(&path).is_none_or(|(known, _)| *known != trouble) {
            self.shared.metrics.trouble(trouble);
            if !matches!(trouble, Trouble::PermissionDenied | Trouble::Unreadable) || !path.is_file() {
                tracing::warn!(path = %path.display(), reason = trouble.as_str(), "not read");
            }
        }
        self.troubles.insert(path, (trouble, start));
    }

    /// Begins to follow a file.
    fn adopt(
        &mut self,
        path: &Path,
        key: FileKey,
        start: Start,
        after: Option<FileKey>,
        now: Instant,
    ) -> Result<(), (Trouble, Option<io::Error>)> {
        let file = match (self.shared.open)(path) {
            Ok(file) => file,
            // It was renamed or removed just now; the next search finds what is there then.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err((Trouble::PermissionDenied, Some(error)));
            }
            Err(error) => return Err((Trouble::Unreadable, Some(error))),
        };
        let unreadable = |error| (Trouble::Unreadable, Some(error));
        if FileKey::of(&file.metadata().map_err(unreadable)?) != key {
            return Ok(());
        }
        let mut head = [0; 6];
        let found = blocks::read_at(&file, &mut head, 0).map_err(unreadable)?;
        if COMPRESSED.iter().any(|magic| head[..found].starts_with(magic)) {
            return Err((Trouble::Compressed, None));
        }
        let known = self.checkpoints.of(key, &file).cloned();
        let start = known.as_ref().map_or(start, |known| Start::At(known.cursor));
        let mut tail = Tail::open(&self.shared, path.to_owned(), file, start, now).map_err(unreadable)?;
        tail.after = after;
        if let Some(known) = known.filter(|known| known.key != key) {
            self.checkpoints.forget(known.key);
        }
        // Where reading begins is remembered, too: a restart must not begin at a later end.
        self.checkpoints.note(tail.checkpoint());
        if self.open < self.shared.max_open {
            self.open += 1;
        } else {
            tail.file = None;
        }
        self.tails.insert(key, tail);
        self.order.push(key);
        Ok(())
    }

    /// Finds files that an earlier process was reading and that were rotated to names nobody asks for.
    fn find_what_was_renamed(&mut self, now: Instant) {
        let away: Vec<Checkpoint> =
            self.checkpoints.iter().filter(|entry| !self.tails.contains_key(&entry.key)).cloned().collect();
        let mut folders: HashMap<PathBuf, Vec<FileKey>> = HashMap::new();
        for entry in away.iter().filter(|entry| entry.gone.is_none()) {
            if let Some(folder) = Path::new(&entry.path).parent() {
                folders.entry(folder.to_owned()).or_default().push(entry.key);
            }
        }
        for (folder, keys) in folders {
            for (path, key) in siblings(&folder, &keys) {
                let size = path.metadata().map_or(0, |metadata| metadata.len());
                let unread = away.iter().any(|entry| entry.key == key && size > entry.cursor.offset);
                // Without a fitting checkpoint it is some other file that got the inode.
                let known = || blocks::open(&path).is_ok_and(|file| self.checkpoints.of(key, &file).is_some());
                if unread && known() && self.adopt(&path, key, Start::Beginning, None, now).is_ok() {
                    tracing::info!(path = %path.display(), "reading the rest of a file that was rotated meanwhile");
                    if let Some(tail) = self.tails.get_mut(&key) {
                        tail.missing = Some(now);
                    }
                }
            }
        }
        let gone: Vec<FileKey> =
            away.iter().map(|entry| entry.key).filter(|key| !self.tails.contains_key(key)).collect();
        self.checkpoints.gone(&gone);
    }

    /// Ends following files that are gone and read.
    fn let_go(&mut self, now: Instant) {
        let mut gone = Vec::new();
        self.tails.retain(|key, tail| {
            let since = tail.missing.map(|since| now.saturating_duration_since(since.max(tail.changed)));
            let over = (tail.at_end || tail.failing) && since.is_some_and(|since| since >= LINGER);
            if over {
                let deleted =
                    tail.file.as_ref().and_then(|file| file.metadata().ok()).is_some_and(|file| file.nlink() == 0);
                gone.push((*key, deleted));
            }
            !over
        });
        self.open = self.tails.values().filter(|tail| tail.file.is_some()).count();
        for (key, _) in gone.iter().filter(|(_, deleted)| *deleted) {
            self.checkpoints.forget(*key);
        }
        if !gone.is_empty() {
            let gone: Vec<FileKey> = gone.into_iter().map(|(key, _)| key).collect();
            self.checkpoints.gone(&gone);
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
        if tail.file.is_none() && !tail.wants_turn() {
            return false;
        }
        if tail.file.is_none() && !self.reopen(key) {
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
    fn reopen(&mut self, key: FileKey) -> bool {
        if self.open >= self.shared.max_open {
            return false;
        }
        let Some(tail) = self.tails.get(&key) else { return false };
        let is_it = |file: &File| file.metadata().is_ok_and(|metadata| FileKey::of(&metadata) == key);
        let opened = (self.shared.open)(&tail.path).ok().filter(is_it);
        let opened = opened.or_else(|| {
            let folder = tail.path.parent()?;
            let (path, _) = siblings(folder, &[key]).pop()?;
            blocks::open(&path).ok().filter(is_it)
        });
        let Some(file) = opened else {
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
            tail.file = Some(file);
            self.open += 1;
        }
        true
    }

    /// Notes how far the pipeline has accepted what was read.
    pub fn accept(&mut self, read: Vec<Checkpoint>) {
        read.into_iter().for_each(|checkpoint| self.checkpoints.note(checkpoint));
    }
}

/// The files of a folder that have one of these inodes.
fn siblings(folder: &Path, keys: &[FileKey]) -> Vec<(PathBuf, FileKey)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let wanted = |entry: &DirEntry| keys.iter().any(|key| key.inode == entry.ino());
    let entries = entries.take(MAX_SIBLINGS).filter_map(Result::ok).filter(wanted);
    let key = |entry: DirEntry| Some((entry.path(), FileKey::of(&entry.metadata().ok()?)));
    entries.filter_map(key).filter(|(_, key)| keys.contains(key)).collect()
}
