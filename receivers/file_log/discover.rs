//! Which files there are: what a search finds is compared with what is followed.
//!
//! Promises
//! - A file is followed from when a pattern first finds it until it has been gone for [`LINGER`] and all of it was read.
//! - A file that was known before is recognised, whatever it is called now, and goes on where it was.
//! - At most `max_files` are followed. One over that, or one that cannot be read, is reported and counted once, and tried
//!   again with every search.

use super::{
    blocks,
    checkpoints::Checkpoint,
    files::Files,
    identity::FileKey,
    metrics::Trouble,
    search::{Found, Obstacle, folder_of, siblings},
    shared::Start,
    tail::Tail,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

/// How long a file that is gone is still read: a writer goes on until it notices the rotation.
const LINGER: Duration = Duration::from_secs(30);
/// How compressed files begin: gzip, zstd, xz, bzip2.
const COMPRESSED: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh"];

impl Files {
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
            self.trouble(&before, path, trouble, None, Start::Beginning);
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
                self.trouble(&before, path, Trouble::MaxFiles, None, start);
                continue;
            }
            if let Err((trouble, error)) = self.adopt(&path, key, start, after, now) {
                self.trouble(&before, path, trouble, error, start);
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
    fn trouble(
        &mut self,
        before: &BTreeMap<PathBuf, (Trouble, Start)>,
        path: PathBuf,
        trouble: Trouble,
        error: Option<io::Error>,
        start: Start,
    ) {
        if before.get(&path).is_none_or(|(known, _)| *known != trouble) {
            self.shared.metrics.trouble(trouble);
            let error = error.as_ref().map(|error| error as &dyn std::error::Error);
            tracing::warn!(path = %path.display(), reason = trouble.as_str(), error, "not read; looking again later");
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
            if let Some(folder) = folder_of(Path::new(&entry.path)) {
                folders.entry(folder).or_default().push(entry.key);
            }
        }
        for (folder, keys) in folders {
            for (path, key) in siblings(&folder, &keys) {
                let size = path.metadata().map_or(0, |metadata| metadata.len());
                let Some(entry) = away.iter().find(|entry| entry.key == key && size > entry.cursor.offset) else {
                    continue;
                };
                // Without a fitting checkpoint it is some other file that got the inode.
                let known = (self.shared.open)(&path).is_ok_and(|file| self.checkpoints.of(key, &file).is_some());
                if !known || self.adopt(&path, key, Start::Beginning, None, now).is_err() {
                    continue;
                }
                tracing::info!(path = %path.display(), "reading the rest of a file that was rotated meanwhile");
                if let Some(tail) = self.tails.get_mut(&key) {
                    tail.missing = Some(now);
                }
                let heir = self.by_path.get(Path::new(&entry.path));
                if let Some(heir) = heir.and_then(|heir| self.tails.get_mut(heir)) {
                    heir.after = Some(key);
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
}
