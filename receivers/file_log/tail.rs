//! One file that is being read: what is known of it.
//!
//! Between two turns that is a position and little more, so a checkpoint is nothing but the position: see `read`.

use super::{
    blocks,
    checkpoints::{Checkpoint, Cursor},
    identity::{FileKey, Fingerprint},
    shared::{Shared, Start},
};
use crate::{container::Unwrapper, formats::Source};
use std::{
    fs::File,
    io,
    path::PathBuf,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// Pause between two looks at a file that is neither listed nor open.
const UNLISTED: Duration = Duration::from_secs(5);

/// A file and how far it was read.
pub struct Tail {
    pub key: FileKey,
    pub path: PathBuf,
    /// Open only while there is room for it.
    pub file: Option<File>,
    /// Its size when it was listed last.
    pub listed: u64,
    /// Since when no pattern finds it.
    pub missing: Option<Instant>,
    /// Since when it is found under no name, and when it was looked for last: to open it again.
    pub hidden: Option<Instant>,
    pub sought: Option<Instant>,
    /// Another file has its path.
    pub replaced: bool,
    /// The file that had this path before, and must be read first.
    pub after: Option<FileKey>,
    /// When it changed last.
    pub changed: Instant,
    /// Everything that can be handed out was.
    pub at_end: bool,
    /// The last turn failed.
    pub failing: bool,
    /// When the last turn was.
    pub(super) turned: Instant,
    pub(super) source: Source,
    pub(super) final_identity: bool,
    pub(super) fingerprint: Fingerprint,
    pub(super) position: u64,
    pub(super) skipping: bool,
    /// How far the file had been read before a restart; what lies before is read for the lines held then only.
    pub(super) resumed: Cursor,
    pub(super) unwrapper: Unwrapper,
    /// Its size in the last turn.
    pub(super) seen: u64,
    /// When it was changed, as the file system said in the last turn.
    pub(super) modified: Option<SystemTime>,
    /// Whether it has grown, so that a line without an end was not there before the start.
    pub(super) grew: bool,
    /// Its size when an unfinished line was found at `position`.
    pub(super) unfinished: Option<u64>,
}

impl Tail {
    /// Starts to follow an open file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(shared: &Shared, path: PathBuf, file: File, start: Start, now: Instant) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let (key, size) = (FileKey::of(&metadata), metadata.len());
        let fingerprint = Fingerprint::take(&file, shared.fingerprint_size)?;
        let cursor = match start {
            Start::Beginning => Cursor::default(),
            Start::At(cursor) => cursor,
            Start::End => match blocks::last_line(&file, size, shared.max_line)? {
                Some(offset) => Cursor { offset, ..Cursor::default() },
                None => Cursor { offset: size, skipping: true, ..Cursor::default() },
            },
        };
        let first_held = cursor.held.iter().flatten().min().copied();
        let attrs = shared.attributes(&path);
        Ok(Self {
            key,
            path,
            file: Some(file),
            listed: size,
            missing: None,
            hidden: None,
            sought: None,
            replaced: false,
            after: None,
            changed: now,
            at_end: start == Start::End && cursor.offset == size,
            failing: false,
            turned: now,
            source: Source { attrs, ..Source::default() },
            final_identity: false,
            fingerprint,
            position: first_held.map_or(cursor.offset, |held| held.min(cursor.offset)),
            skipping: cursor.skipping && first_held.is_none(),
            resumed: cursor,
            unwrapper: Unwrapper::resuming(shared.wrapping, shared.max_line, cursor.held, cursor.offset),
            // What stands at the end without a line end was not written for us, unless it grows.
            seen: if start == Start::End { size } else { 0 },
            modified: None,
            grew: false,
            unfinished: None,
        })
    }

    /// How far it was read, for when that was accepted.
    pub fn checkpoint(&self) -> Checkpoint {
        let cursor = if self.position < self.resumed.offset {
            self.resumed
        } else {
            Cursor { offset: self.position, skipping: self.skipping, held: self.unwrapper.held() }
        };
        let path = self.path.to_string_lossy().into_owned();
        Checkpoint { key: self.key, fingerprint: self.fingerprint, cursor, path, gone: None }
    }

    /// Bytes that are there and not read, as far as is known.
    pub fn unread(&self) -> u64 {
        let size = if self.missing.is_some() { self.seen.max(self.listed) } else { self.listed };
        size.saturating_sub(self.position)
    }

    /// Bytes of parts of lines in memory.
    pub fn held_bytes(&self) -> usize {
        self.unwrapper.held_bytes()
    }

    /// Whether a turn may find something to do, for a file that is not open.
    pub fn wants_turn(&self, now: Instant) -> bool {
        let unlisted = self.missing.is_some() && now.saturating_duration_since(self.turned) >= UNLISTED;
        self.listed != self.seen || !self.at_end || unlisted || self.held_bytes() > 0
    }

    /// Whether nobody will write to it much longer.
    pub(super) fn rotated(&self) -> bool {
        self.missing.is_some() || self.replaced
    }
}
