//! The files of the log and what still lives in them.

use super::Index;
use crate::format::names::FileKind;

/// A file that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    pub kind: FileKind,
    /// What it takes on disk.
    pub size: u64,
    /// Where its last whole record ends.
    pub end: u64,
    /// Live entries in it.
    pub live: u64,
    /// What those take of the budget.
    pub live_bytes: u64,
    /// Nothing is appended to it any more.
    pub sealed: bool,
}

impl Index {
    /// A file was made.
    pub fn add_file(&mut self, number: u64, file: FileInfo) {
        if file.kind == FileKind::Spill {
            self.spill_used += file.size;
        }
        self.files.insert(number, file);
    }

    /// The segment that was written ends here, and takes `size` on disk.
    pub fn seal(&mut self, number: u64, size: u64) {
        if let Some(file) = self.files.get_mut(&number) {
            file.size = size;
            file.sealed = true;
            self.deaths |= file.live == 0;
        }
    }

    /// The segment that is written has whole records up to here.
    pub fn grow(&mut self, number: u64, end: u64) {
        if let Some(file) = self.files.get_mut(&number) {
            file.end = end;
            file.size = file.size.max(end);
        }
    }

    /// Files that nothing lives in.
    pub fn dead_files(&self) -> Vec<(u64, FileKind)> {
        self.files
            .iter()
            .filter(|(_, file)| file.sealed && file.live == 0)
            .map(|(number, file)| (*number, file.kind))
            .collect()
    }

    /// A file is gone.
    pub fn remove_file(&mut self, number: u64) {
        self.files.remove(&number);
    }

    /// The oldest segment that is not written any more.
    pub fn oldest_segment(&self) -> Option<u64> {
        self.files.iter().find(|(_, file)| file.sealed && file.kind == FileKind::Segment).map(|(number, _)| *number)
    }

    /// How many segments are not written any more.
    pub fn sealed_segments(&self) -> u64 {
        self.files.values().filter(|file| file.sealed && file.kind == FileKind::Segment).count() as u64
    }

    /// Size of all files.
    pub fn disk_bytes(&self) -> u64 {
        self.files.values().map(|file| file.size).sum()
    }

    /// After recovery: spills that nothing lives in take no part of the budget.
    pub fn forget_dead_spills(&mut self) {
        let dead = self.files.values().filter(|file| file.kind == FileKind::Spill && file.live == 0);
        self.spill_used -= dead.map(|file| file.size).sum::<u64>().min(self.spill_used);
    }

    /// What all files may come to take: entries that share a payload in a segment do not share it in spills.
    pub fn budgeted_bytes(&self) -> u64 {
        self.files.values().map(|file| file.size.max(file.live_bytes)).sum()
    }

    pub(super) fn born(&mut self, number: u64, entries: u64, bytes: u64) {
        if let Some(file) = self.files.get_mut(&number) {
            file.live += entries;
            file.live_bytes += bytes;
            if file.kind == FileKind::Segment {
                self.segment_live += bytes;
            }
        }
    }

    pub(super) fn died(&mut self, number: u64, entries: u64, bytes: u64) {
        let Some(file) = self.files.get_mut(&number) else { return };
        file.live = file.live.saturating_sub(entries);
        file.live_bytes = file.live_bytes.saturating_sub(bytes);
        let dead = file.live == 0 && file.sealed;
        if file.kind == FileKind::Segment {
            self.segment_live = self.segment_live.saturating_sub(bytes);
        } else if dead {
            self.spill_used = self.spill_used.saturating_sub(file.size);
        }
        self.deaths |= dead;
    }
}
