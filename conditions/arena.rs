//! Memory for one evaluation, kept by the thread.

use lanner_rules::evaluate::Arena;
use std::cell::Cell;

thread_local! {
    /// Empty while an evaluation goes on; one inside another makes its own.
    static KEPT: Cell<Option<Box<Arena>>> = const { Cell::new(None) };
}

/// Calls `work` with memory that is forgotten afterwards and used again by the thread's next call.
pub fn with_arena<T>(work: impl FnOnce(&Arena) -> T) -> T {
    let mut arena = KEPT.take().unwrap_or_default();
    let made = work(&arena);
    arena.reset();
    KEPT.set(Some(arena));
    made
}
