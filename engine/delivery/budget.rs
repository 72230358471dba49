//! The memory budget: bytes that request bodies and queued requests may hold together.
//!
//! Promises: `used` never grows beyond `limit`; room is given back exactly once; whoever waits for room is woken when
//! some is given back, here or in a queue.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{
            AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
};
use tokio::sync::{Notify, futures::Notified};

/// `service::admission`: how much memory events may hold.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdmissionConfig {
    /// MiB that request bodies and queued requests may hold together. When they are used up, receivers refuse
    /// (or hold) before they read a body.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub limit_mib: usize,
}

impl Default for AdmissionConfig {
    fn default() -> Self {
        Self { limit_mib: 256 }
    }
}

impl AdmissionConfig {
    /// The limit in bytes.
    pub fn limit_bytes(&self) -> usize {
        self.limit_mib.saturating_mul(1 << 20)
    }
}

/// Bytes in use and the most that may be. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<State>);

#[derive(Debug)]
struct State {
    limit: AtomicUsize,
    used: AtomicUsize,
    room: Notify,
    /// How often room was given back.
    announced: AtomicUsize,
    /// Who waits for room; giving room back takes a lock only when there is someone.
    waiters: AtomicUsize,
}

/// Bytes taken from a budget, given back when dropped.
#[derive(Debug)]
#[must_use = "the bytes are given back when this is dropped"]
pub struct Reserved {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(State {
            limit: AtomicUsize::new(limit),
            used: AtomicUsize::new(0),
            room: Notify::new(),
            announced: AtomicUsize::new(0),
            waiters: AtomicUsize::new(0),
        }))
    }

    /// Takes `bytes`, when there is room for them.
    pub fn reserve(&self, bytes: usize) -> Option<Reserved> {
        let limit = self.limit();
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= limit);
        self.0.used.fetch_update(Relaxed, Relaxed, fits).ok()?;
        Some(Reserved { budget: self.clone(), bytes })
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.0.used.load(Relaxed)
    }

    /// The most that may be in use.
    pub fn limit(&self) -> usize {
        self.0.limit.load(Relaxed)
    }

    /// Changes the limit, as a reload may. What is in use above a lower one stays until it is given back.
    pub fn set_limit(&self, limit: usize) {
        self.0.limit.store(limit, Relaxed);
        self.announce_room();
    }

    /// Wakes those who wait for room.
    pub(super) fn announce_room(&self) {
        // Both orders are total: either the waiter is seen here, or it sees the new count.
        self.0.announced.fetch_add(1, SeqCst);
        if self.0.waiters.load(SeqCst) > 0 {
            self.0.room.notify_waiters();
        }
    }

    /// Changes when room is given back.
    pub(super) fn announced(&self) -> usize {
        self.0.announced.load(SeqCst)
    }

    /// Someone who waits for room.
    pub(super) fn waiting(&self) -> Waiting<'_> {
        self.0.waiters.fetch_add(1, SeqCst);
        Waiting(self)
    }
}

/// Counts as waiting until dropped.
#[derive(Debug)]
pub(super) struct Waiting<'b>(&'b Budget);

impl<'b> Waiting<'b> {
    /// Completes when room is announced after this call. Compare [`Budget::announced`] between this and the wait with
    /// its value before the attempt that found no room, so that no announcement is missed.
    pub fn room(&self) -> Pin<Box<Notified<'b>>> {
        let mut room = Box::pin(self.0.0.room.notified());
        room.as_mut().enable();
        room
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.0.waiters.fetch_sub(1, SeqCst);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.0.used.fetch_sub(self.bytes, Relaxed);
        self.budget.announce_room();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: the budget is used up, then some of it is given back.
    /// Guarantee: never more than the limit is out; what is given back can be taken again; a size that overflows
    /// is refused.
    #[test]
    fn never_exceeds_the_limit() {
        let budget = Budget::new(100);
        let first = budget.reserve(60).unwrap();
        assert!(budget.reserve(41).is_none());
        let second = budget.reserve(40).unwrap();
        assert_eq!(budget.used(), 100);
        assert!(budget.reserve(usize::MAX).is_none());
        drop(first);
        assert_eq!(budget.used(), 40);
        drop(second);
        assert_eq!(budget.used(), 0);
    }
}
