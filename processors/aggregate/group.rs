//! `Group`: records with equal keys, as they are counted and folded.

use super::{
    folded::{Added, Folded, time_of},
    window::Window,
};
use lanner_conditions::Seen;
use lanner_engine::stage::Now;
use std::sync::Arc;

/// Records with equal keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its name in the storage.
    pub id: u64,
    pub key: Arc<[u8]>,
    /// When it began, in nanoseconds since 1970.
    pub opened: u64,
    /// Summaries made of it.
    pub sequence: u64,
    pub window: Window,
    pub folded: Option<Box<Folded>>,
}

impl Group {
    /// Folds a record, if what must be kept of it takes at most `room` bytes.
    pub fn fold(&mut self, seen: Seen<'_>, now: Now, exemplars: usize, room: usize) -> Added {
        let time = time_of(seen.record, now);
        if let Some(folded) = &mut self.folded {
            return folded.add(seen, time, exemplars, room);
        }
        let mut folded = Folded::begin(seen, time);
        let Some(room) = room.checked_sub(folded.bytes()) else { return Added::NoRoom };
        folded.add(seen, time, exemplars, room);
        self.folded = Some(Box::new(folded));
        Added::Texts
    }

    /// About how many bytes it takes besides itself.
    pub fn bytes(&self) -> usize {
        let steps = if self.window.steps.spilled() { size_of_val(self.window.steps.as_slice()) } else { 0 };
        self.key.len() + steps + self.folded.as_deref().map_or(0, Folded::bytes)
    }
}
