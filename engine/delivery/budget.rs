//! The memory budget: bytes that request bodies and queued requests may hold together.
//!
//! Promises: `used` never grows beyond `limit`; room is given back exactly once; whoever waits for room is woken when
//! some is given back, here or in a queue.
//!
//! What queues hold is known apart: long before they are full, it tells receivers whose senders can wait that sinks do not
//! keep up ([`Budget::is_pressed`]), so that memory grows only when it must.

use crate::telemetry::CacheLine;
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

/// Under pressure is what has more than this part of the limit in its queues: 2 MiB unless configured otherwise.
const PRESSED: usize = 128;

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

/// Two sums that only grow instead of one that goes up and down: whoever gives room back changes another cache line than whoever
/// takes some, and the second sum tells whether any was given back. They wrap around together.
#[derive(Debug)]
struct State {
    taken: CacheLine<AtomicUsize>,
    given_back: CacheLine<AtomicUsize>,
    /// What of it queues hold.
    queued: CacheLine<AtomicUsize>,
    limit: AtomicUsize,
    room: Notify,
    /// How often queues had room again, and the limit was changed.
    announced: AtomicUsize,
    /// Who waits for room; giving room back takes a lock only when there is someone.
    waiters: AtomicUsize,
}

/// Bytes of a request's body, given back when dropped.
#[derive(Debug)]
#[must_use = "the bytes are given back when this is dropped"]
pub struct Reserved {
    budget: Budget,
    bytes: usize,
}

/// How much room was given back until some moment; another value later means that there was more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GivenBack(usize, usize);

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(State {
            taken: CacheLine::default(),
            given_back: CacheLine::default(),
            queued: CacheLine::default(),
            limit: AtomicUsize::new(limit),
            room: Notify::new(),
            announced: AtomicUsize::new(0),
            waiters: AtomicUsize::new(0),
        }))
    }

    /// Takes `bytes`, when there is room for them.
    pub fn reserve(&self, bytes: usize) -> Option<Reserved> {
        self.take(bytes).then(|| Reserved { budget: self.clone(), bytes })
    }

    fn take(&self, bytes: usize) -> bool {
        let limit = self.limit();
        let fits = |taken: usize| {
            // What is given back later only makes more room.
            let used = taken.wrapping_sub(self.0.given_back.load(SeqCst));
            used.checked_add(bytes).filter(|sum| *sum <= limit).map(|_| taken.wrapping_add(bytes))
        };
        self.0.taken.fetch_update(SeqCst, SeqCst, fits).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        // Both orders are total: either the waiter is seen here, or it sees the new sum.
        self.0.given_back.fetch_add(bytes, SeqCst);
        self.wake();
    }

    /// Takes `bytes` for what goes into a queue, when there is room for them. Whoever has them gives them back, once, by
    /// [`Budget::give_back_queued`].
    #[must_use = "without room nothing was taken"]
    pub(super) fn take_queued(&self, bytes: usize) -> bool {
        let taken = self.take(bytes);
        if taken {
            self.0.queued.fetch_add(bytes, SeqCst);
        }
        taken
    }

    /// Gives back what was taken for a queue.
    pub(super) fn give_back_queued(&self, bytes: usize) {
        if bytes > 0 {
            self.0.queued.fetch_sub(bytes, SeqCst);
            self.give_back(bytes);
        }
    }

    /// Whether queues hold so much that senders should be slowed down.
    pub fn is_pressed(&self) -> bool {
        self.0.queued.load(SeqCst) > self.limit() / PRESSED
    }

    /// Returns when it is not pressed. Cancel-safe.
    pub(super) async fn relieved(&self) {
        while self.is_pressed() {
            let waiting = self.waiting();
            let room = waiting.room();
            if self.is_pressed() {
                room.await;
            }
        }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        // In this order it may be too large for a moment, and never too small.
        let given_back = self.0.given_back.load(SeqCst);
        self.0.taken.load(SeqCst).wrapping_sub(given_back)
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

    /// Wakes those who wait for room, when a queue has some.
    pub(super) fn announce_room(&self) {
        self.0.announced.fetch_add(1, SeqCst);
        self.wake();
    }

    fn wake(&self) {
        if self.0.waiters.load(SeqCst) > 0 {
            self.0.room.notify_waiters();
        }
    }

    /// What was given back so far.
    pub(super) fn given_back(&self) -> GivenBack {
        GivenBack(self.0.given_back.load(SeqCst), self.0.announced.load(SeqCst))
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
    /// Completes when room is given back after this call. Compare [`Budget::given_back`] between this and the wait with
    /// its value before the attempt that found no room, so that nothing is missed.
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
        self.budget.give_back(self.bytes);
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

    /// Scenario: bodies fill half of the budget, queues take a little more than their part of it, and give it back.
    /// Guarantee: only what is queued presses; who waits for relief goes on when it comes, and not before.
    #[tokio::test(start_paused = true)]
    async fn what_is_queued_presses_until_it_is_given_back() {
        let budget = Budget::new(64 * PRESSED);
        let _bodies = budget.reserve(32 * PRESSED).unwrap();
        budget.relieved().await;
        assert!(budget.take_queued(64) && budget.take_queued(1));
        assert_eq!(budget.used(), 32 * PRESSED + 65);
        let relieved = tokio::spawn({
            let budget = budget.clone();
            async move { budget.relieved().await }
        });
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        assert!(budget.is_pressed() && !relieved.is_finished());
        budget.give_back_queued(1);
        relieved.await.unwrap();
        budget.give_back_queued(64);
        assert_eq!(budget.used(), 32 * PRESSED);
    }
}
