//! The memory budget: bytes that request bodies and queued requests may hold together.
//!
//! Promises: `used` never grows beyond `limit`; room is given back exactly once; whoever waits for room has a turn when
//! some is given back; what threads have in stock is refused to nobody.
//!
//! What queues hold is known apart: long before they are full, it tells receivers whose senders can wait that sinks do not
//! keep up ([`Budget::is_pressed`]), so that memory grows only when it must.

use super::line::Line;
use crate::{
    component::{Admission, Room},
    telemetry::{CacheLine, STRIPES, stripe},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::{
    Arc,
    atomic::{
        AtomicIsize, AtomicUsize,
        Ordering::{Relaxed, SeqCst},
    },
};

/// Under pressure is what has more than this part of the limit in its queues: 2 MiB unless configured otherwise.
const PRESSED: usize = 128;
/// So much a part draws at once, while the budget is not half used up; at twice as much it gives some back.
const STOCK: usize = 64 << 10;

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
pub struct Budget(Arc<[Arc<Part>; STRIPES]>);

/// What one thread in so many uses of the budget, so that threads seldom wait for each other's cache line. Bodies refer to it by a
/// reference count of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Part {
    /// Bytes that were drawn from the whole and nobody uses.
    stock: AtomicUsize,
    /// How many bytes were given back here, all in all; wraps around.
    given_back: AtomicUsize,
    /// What of the bytes in use queues hold. One part alone may be below zero, since others may give back what it took.
    queued: AtomicIsize,
    whole: Arc<Whole>,
}

#[derive(Debug)]
struct Whole {
    /// What parts use or have in stock; never more than the limit.
    drawn: CacheLine<AtomicUsize>,
    limit: AtomicUsize,
    /// Those who wait for room.
    line: Line,
    /// How often stock came back and the limit was changed.
    announced: AtomicUsize,
    /// Those who wait until it is not pressed.
    paced: Line,
}

/// How much room was given back until some moment; another value later means that there was more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GivenBack(usize, usize);

impl Whole {
    fn limit(&self) -> usize {
        self.limit.load(Relaxed)
    }

    /// Whether parts may have stocks.
    fn is_ample(&self, more: usize) -> bool {
        self.drawn.load(SeqCst).saturating_add(more) <= self.limit() / 2
    }

    fn draw(&self, bytes: usize) -> bool {
        let limit = self.limit();
        let fits = |drawn: usize| drawn.checked_add(bytes).filter(|sum| *sum <= limit);
        self.drawn.fetch_update(SeqCst, SeqCst, fits).is_ok()
    }

    fn announce_room(&self) {
        self.announced.fetch_add(1, SeqCst);
        self.line.give_turn();
    }
}

impl Part {
    /// Takes bytes from the stock or the whole.
    fn take(&self, bytes: usize) -> bool {
        let rest = |stock: usize| stock.checked_sub(bytes);
        if self.stock.fetch_update(SeqCst, SeqCst, rest).is_ok() {
            return true;
        }
        if bytes < STOCK && self.whole.is_ample(STOCK) && self.whole.draw(STOCK) {
            self.stock.fetch_add(STOCK - bytes, SeqCst);
            return true;
        }
        self.whole.draw(bytes)
    }
}

impl Room for Part {
    fn give_back(&self, bytes: usize) {
        if bytes < STOCK && self.whole.is_ample(0) {
            let stock = self.stock.fetch_add(bytes, SeqCst) + bytes;
            let surplus = |stock: usize| stock.checked_sub(STOCK);
            if stock > 2 * STOCK && self.stock.fetch_update(SeqCst, SeqCst, surplus).is_ok() {
                self.whole.drawn.fetch_sub(STOCK, SeqCst);
            }
        } else {
            self.whole.drawn.fetch_sub(bytes, SeqCst);
        }
        // All these orders are total: either somebody in line is seen here, or he sees what was given back.
        self.given_back.fetch_add(bytes, SeqCst);
        self.whole.line.give_turn();
    }
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let whole = Arc::new(Whole {
            drawn: CacheLine::default(),
            limit: AtomicUsize::new(limit),
            line: Line::default(),
            announced: AtomicUsize::new(0),
            paced: Line::default(),
        });
        let part = |_| {
            let (stock, given_back, queued) = Default::default();
            Arc::new(Part { stock, given_back, queued, whole: Arc::clone(&whole) })
        };
        Self(Arc::new(std::array::from_fn(part)))
    }

    fn part(&self) -> &Arc<Part> {
        &self.0[stripe()]
    }

    fn whole(&self) -> &Whole {
        // There is at least one part.
        &self.0[0].whole
    }

    /// Takes `bytes`, when there is room for them, until the result is dropped.
    pub fn reserve(&self, bytes: usize) -> Option<Admission> {
        self.take(bytes).then(|| Admission::new(Arc::clone(self.part()) as Arc<dyn Room>, bytes))
    }

    fn take(&self, bytes: usize) -> bool {
        // Only who finds no room otherwise asks all parts.
        self.part().take(bytes) || {
            self.collect();
            self.whole().draw(bytes)
        }
    }

    /// Brings the stocks of all parts back.
    fn collect(&self) {
        let stocks = self.0.iter().fold(0, |sum, part| sum + part.stock.swap(0, SeqCst));
        if stocks > 0 {
            self.whole().drawn.fetch_sub(stocks, SeqCst);
            // Somebody else may have looked in between.
            self.whole().announce_room();
        }
    }

    /// Takes `bytes` for what goes into a queue, when there is room for them. Whoever has them gives them back, once, by
    /// [`Budget::give_back_queued`].
    #[must_use = "without room nothing was taken"]
    pub(super) fn take_queued(&self, bytes: usize) -> bool {
        let taken = self.take(bytes);
        if taken {
            self.part().queued.fetch_add(bytes.cast_signed(), SeqCst);
        }
        taken
    }

    /// Gives back what was taken for a queue.
    pub(super) fn give_back_queued(&self, bytes: usize) {
        if bytes > 0 {
            self.part().queued.fetch_sub(bytes.cast_signed(), SeqCst);
            self.part().give_back(bytes);
            self.relieve();
        }
    }

    /// Lets those go on who are paced, if it is time.
    fn relieve(&self) {
        let paced = &self.whole().paced;
        if paced.has_waiters() && !self.is_pressed() {
            paced.give_turn();
        }
    }

    /// Whether queues hold so much that senders should be slowed down.
    pub fn is_pressed(&self) -> bool {
        let queued: isize = self.0.iter().map(|part| part.queued.load(SeqCst)).sum();
        queued > (self.limit() / PRESSED).cast_signed()
    }

    /// Returns when it is not pressed. Cancel-safe.
    pub(super) async fn relieved(&self) {
        while self.is_pressed() {
            let turn = self.whole().paced.turn(|| !self.is_pressed()).await;
            if self.is_pressed() {
                turn.was_vain(&self.whole().paced);
            }
        }
    }

    /// Bytes in use. While others take some and give some back, about.
    pub fn used(&self) -> usize {
        let stocks = self.0.iter().fold(0, |sum, part| sum + part.stock.load(SeqCst));
        self.whole().drawn.load(SeqCst).saturating_sub(stocks)
    }

    /// The most that may be in use.
    pub fn limit(&self) -> usize {
        self.whole().limit()
    }

    /// Changes the limit, as a reload may. What is in use above a lower one stays until it is given back.
    pub fn set_limit(&self, limit: usize) {
        self.whole().limit.store(limit, Relaxed);
        self.whole().announce_room();
        self.relieve();
    }

    /// Those who wait for room.
    pub(super) fn line(&self) -> &Line {
        &self.whole().line
    }

    /// What was given back so far.
    pub(super) fn given_back(&self) -> GivenBack {
        let bytes = self.0.iter().fold(0, |sum: usize, part| sum.wrapping_add(part.given_back.load(SeqCst)));
        GivenBack(bytes, self.whole().announced.load(SeqCst))
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

    /// Scenario: threads take and give back small pieces, so that there are stocks; then one wants all of it.
    /// Guarantee: stocks are not in use, and are refused to nobody.
    #[test]
    fn stocks_are_for_everybody() {
        let budget = Budget::new(16 * STOCK);
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| (1..1000).for_each(|bytes| drop(budget.reserve(bytes))));
            }
        });
        assert!(budget.whole().drawn.load(SeqCst) >= STOCK);
        assert_eq!(budget.used(), 0);
        let all = budget.reserve(16 * STOCK).unwrap();
        assert!(budget.reserve(1).is_none());
        drop(all);
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
