//! Memory for one event.

use super::Value;
use bumpalo::Bump;

/// Memory for what is made while one event is evaluated. Give every thread its own and [`reset`](Self::reset) it
/// between events; then nothing is allocated from the heap any more.
#[derive(Debug, Default)]
pub struct Arena {
    bump: Bump,
}

/// What an arena keeps between events, in bytes.
const KEEP: usize = 1 << 20;

impl Arena {
    /// An empty arena.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything. Memory is kept for the next event, unless an unusual event took much of it.
    pub fn reset(&mut self) {
        self.bump.reset();
        if self.bump.allocated_bytes() > KEEP {
            self.bump = Bump::new();
        }
    }

    pub(crate) fn bump(&self) -> &Bump {
        &self.bump
    }

    /// A text of this arena.
    pub fn text<'a>(&'a self, bytes: &[u8]) -> Value<'a> {
        Value::Text(self.bump.alloc_slice_copy(bytes))
    }

    /// A list of this arena; [`Value::Absent`] if it has no members.
    pub fn list<'a>(&'a self, members: &[Value<'a>]) -> Value<'a> {
        if members.is_empty() { Value::Absent } else { Value::List(self.bump.alloc_slice_copy(members)) }
    }

    /// The same from an iterator.
    pub fn list_of<'a>(&'a self, members: impl ExactSizeIterator<Item = Value<'a>>) -> Value<'a> {
        match members.len() {
            0 => Value::Absent,
            _ => Value::List(self.bump.alloc_slice_fill_iter(members)),
        }
    }
}
