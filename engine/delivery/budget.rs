//! The memory budget: bytes that request bodies and queued requests may hold together.
//!
//! Promises: `used` never exceeds `limit`; room is given back exactly once; whoever waits for room is woken when
//! some is given back, here or in a queue.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use tokio::sync::Notify;

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
    limit: usize,
    used: AtomicUsize,
    room: Notify,
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
        Self(Arc::new(State { limit, used: AtomicUsize::new(0), room: Notify::new() }))
    }

    /// Takes `bytes`, when there is room for them.
    pub fn reserve(&self, bytes: usize) -> Option<Reserved> {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.0.limit);
        self.0.used.fetch_update(Relaxed, Relaxed, fits).ok()?;
        Some(Reserved { budget: self.clone(), bytes })
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.0.used.load(Relaxed)
    }

    /// The most that may be in use.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Wakes those who wait for room.
    pub(super) fn announce_room(&self) {
        self.0.room.notify_waiters();
    }

    /// Where to wait for room. Enable the future before looking again, so that no announcement is missed.
    pub(super) fn room(&self) -> &Notify {
        &self.0.room
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
