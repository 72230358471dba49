//! Acknowledgements on their way to disk.

use super::Index;
use crate::format::body::Tables;

/// A piece of all cursors is cut at this size.
const PIECE: usize = 1 << 20;

impl Index {
    /// Adds what was done since the last time to a record that is about to be written. A failure of that write must
    /// end the segment: the next one begins with all cursors.
    pub fn drain_dirty(&mut self, tables: &mut Tables) {
        self.dirty = false;
        for queue in self.queues.iter_mut().filter(|queue| !queue.dirty.is_empty()) {
            let dirty = std::mem::take(&mut queue.dirty);
            let below = queue.acked.below();
            tables.cursor(&queue.name, queue.next, below, dirty.ranges().filter(|(_, end)| *end > below));
        }
    }

    /// All cursors, in pieces; at least one. Queues that nobody uses and of which no file has entries any more are
    /// left out and so forgotten: that counts once the names are synced with the new segment, and with them every
    /// deletion of what they had.
    /// If they cannot be written, [`Index::cursors_failed`] must be called.
    pub fn all_cursors(&mut self) -> Vec<Vec<u8>> {
        self.dirty = false;
        let oldest = self.files.keys().next().copied();
        let mut pieces = Vec::new();
        let mut tables = Tables::new(Vec::new());
        for queue in &mut self.queues {
            queue.dirty = Default::default();
            // As long as a file has entries of it that are done, something must say so.
            let remembered = queue.last_file.is_some_and(|last| oldest.is_some_and(|oldest| oldest <= last));
            if queue.declared || queue.entries > 0 || remembered {
                tables.cursor(&queue.name, queue.next, queue.acked.below(), queue.acked.ranges());
            }
            if tables.size() > PIECE {
                pieces.push(std::mem::replace(&mut tables, Tables::new(Vec::new())).finish());
            }
        }
        pieces.push(tables.finish());
        pieces
    }

    /// What [`Index::all_cursors`] gave out is not on disk.
    pub fn cursors_failed(&mut self) {
        self.dirty = true;
        for queue in &mut self.queues {
            queue.dirty = queue.acked.clone();
        }
    }
}
