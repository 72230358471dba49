//! Giving room back.
//!
//! Promise: a file is deleted only when nothing lives in it and everything that was done is on disk elsewhere.

use super::Writer;
use crate::{error::DiskError, format::names};
use std::io::ErrorKind;

impl Writer {
    /// Deletes dead files.
    ///
    /// # Errors
    /// What was done cannot be written now; the files stay.
    pub fn reclaim(&mut self) -> Result<(), DiskError> {
        let dead = {
            let mut index = self.index.lock();
            index.deaths = false;
            index.dead_files()
        };
        if dead.is_empty() {
            return Ok(());
        }
        // Everything that made them dead was done before they were listed, and so is written here or was before.
        let dirty = self.index.lock().dirty;
        if dirty || self.active.is_none() {
            self.persist_cursors(0).inspect_err(|_| self.index.lock().deaths = true)?;
        }
        for (number, kind) in dead {
            match self.fs.remove(&names::name(kind, number)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    self.index.lock().counts.write_errors += 1;
                }
                _ => self.index.lock().remove_file(number),
            }
        }
        // What comes back with the power is dead at the next start as well; this only keeps the budget honest.
        let _ = self.fs.sync_names();
        self.index.lock().room.notify_waiters();
        Ok(())
    }

    /// Whether [`Writer::reclaim`] has something to do.
    pub fn has_dead_files(&self) -> bool {
        self.index.lock().deaths
    }

    /// Deletes and moves until `free` bytes of the budget are left, as far as that is possible.
    ///
    /// A queue that is stuck keeps a few entries in many segments. They are moved, oldest segment first, into a spill
    /// of their own queue: each entry at most once, so that the order of a queue is that of its files.
    pub(super) fn make_room(&mut self, free: u64) {
        if self.has_dead_files() {
            let _ = self.reclaim();
        }
        let most_segments = self.options.max_bytes / self.options.segment_bytes * 2 + 16;
        loop {
            let (used, segments, oldest) = {
                let index = self.index.lock();
                (index.budgeted_bytes(), index.sealed_segments(), index.oldest_segment())
            };
            let enough = used + free <= self.options.max_bytes && segments <= most_segments;
            let Some(oldest) = oldest.filter(|_| !enough) else { return };
            if self.spill(oldest).is_err() {
                self.index.lock().counts.write_errors += 1;
                return;
            }
            let _ = self.reclaim();
            if self.index.lock().files.contains_key(&oldest) {
                return;
            }
        }
    }
}
