//! A line of those who wait for room: whoever came first is woken first, one at a time.
//!
//! Promises
//! - Room wakes the first in line at once, and whoever finds room in his turn wakes the next, so that room for many is used by
//!   many. Who finds none ends it until more is given.
//! - Nobody is forgotten: whoever goes away in his turn, or is hindered elsewhere, leaves the turn to the next. Room that was
//!   given between a vain attempt and the wait is noticed.
//! - Waiting costs nothing while others have their turns.
//!
//! Who is not in line may take room before the first gets there: it is used at once, also while threads are busy.
//!
//! Why not all at once: of thousands in line all but a few would try in vain, whenever there is room for one.

use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};
use tokio::sync::Notify;

/// See the head of the module.
#[derive(Debug, Default)]
pub(super) struct Line {
    first: Notify,
    /// Those in it. Giving room takes a lock only when there is someone.
    length: AtomicUsize,
}

/// A turn to take room. Dropped, it goes to the next.
#[derive(Debug)]
#[must_use = "the next in line waits for its end"]
pub(super) struct Turn<'l>(Option<&'l Line>);

/// Counts in a number until dropped.
#[derive(Debug)]
pub(super) struct Counted<'n>(&'n AtomicUsize);

impl Line {
    /// Whether somebody waits. In one order with [`Line::turn`]: either somebody is seen here, or he sees what was changed
    /// before.
    pub fn has_waiters(&self) -> bool {
        self.length.load(SeqCst) > 0
    }

    /// There is room: the first in line has his turn.
    pub fn give_turn(&self) {
        if self.has_waiters() {
            self.first.notify_one();
        }
    }

    /// Waits for a turn; none is waited for if `missed` says that room was given since it was found missing.
    ///
    /// Cancel-safe: the turn of who goes away is the next one's.
    pub async fn turn(&self, missed: impl FnOnce() -> bool) -> Turn<'_> {
        let _waits = Counted::new(&self.length);
        let mut first = pin!(self.first.notified());
        first.as_mut().enable();
        if !missed() {
            first.await;
        }
        Turn(Some(self))
    }
}

impl Turn<'_> {
    /// Ends a turn in which there was no room, if it was in this line: the next would find none either.
    pub fn was_vain(mut self, line: &Line) {
        if self.0.is_some_and(|own| std::ptr::eq(own, line)) {
            self.0 = None;
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(line) = self.0 {
            line.give_turn();
        }
    }
}

impl<'n> Counted<'n> {
    pub fn new(number: &'n AtomicUsize) -> Self {
        number.fetch_add(1, SeqCst);
        Self(number)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::sync::Arc;
    use tokio::task::{JoinSet, yield_now};

    /// What a line is for.
    #[derive(Default)]
    struct Places {
        line: Line,
        free: Mutex<usize>,
        attempts: AtomicUsize,
        /// Who found one, in order.
        found: Mutex<Vec<usize>>,
    }

    impl Places {
        fn give(&self, places: usize) {
            *self.free.lock() += places;
            self.line.give_turn();
        }

        async fn wait(self: Arc<Self>, number: usize) {
            loop {
                let turn = self.line.turn(|| false).await;
                self.attempts.fetch_add(1, SeqCst);
                let left = self.free.lock().checked_sub(1);
                let Some(left) = left else {
                    turn.was_vain(&self.line);
                    continue;
                };
                *self.free.lock() = left;
                self.found.lock().push(number);
                return;
            }
        }
    }

    /// With one thread, what is ready has run after so many turns.
    async fn settle() {
        for _ in 0..1000 {
            yield_now().await;
        }
    }

    fn waiting(places: &Arc<Places>, count: usize) -> JoinSet<()> {
        (0..count).map(|number| Arc::clone(places).wait(number)).collect()
    }

    /// Scenario: a thousand wait; there is room for one, for five at once, then for all.
    /// Guarantee: so many get it, in the order in which they came, after at most one more attempt each time.
    #[tokio::test]
    async fn room_wakes_no_more_than_it_is_for() {
        let places = Arc::new(Places::default());
        let mut all = waiting(&places, 1000);
        settle().await;
        for (room, attempts) in [(1, 2), (5, 6)] {
            let before = places.attempts.load(SeqCst);
            places.give(room);
            settle().await;
            assert!(places.attempts.load(SeqCst) - before <= attempts);
        }
        // The two that found none are at the end now.
        assert_eq!(*places.found.lock(), [0, 2, 3, 4, 5, 6]);
        places.give(1000);
        while all.join_next().await.is_some() {}
        assert_eq!(*places.free.lock(), 6);
    }

    /// Scenario: who has his turn goes away before he runs, or after; another one is hindered elsewhere.
    /// Guarantee: the next has it in his place.
    #[tokio::test]
    async fn a_turn_is_never_lost() {
        let places = Arc::new(Places::default());
        let leaving = tokio::spawn(Arc::clone(&places).wait(0));
        settle().await;
        let mut all = waiting(&places, 2);
        settle().await;
        places.give(1);
        leaving.abort();
        settle().await;
        assert_eq!(places.found.lock().len(), 1);
        let turn = async {
            let turn = places.line.turn(|| false).await;
            turn.was_vain(&Line::default());
        };
        tokio::join!(turn, async {
            settle().await;
            places.give(1);
            places.line.give_turn();
        });
        while all.join_next().await.is_some() {}
        assert!(!places.line.has_waiters());
    }

    /// Scenario: threads take and give back two places, thousands of times; of those who wait, every third goes away now and then.
    /// Guarantee: nobody waits for ever.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nobody_is_forgotten() {
        let taken = Arc::new(Taken::default());
        let all: JoinSet<()> = (0..16).map(|number| Arc::clone(&taken).used_by(number)).collect();
        tokio::time::timeout(std::time::Duration::from_secs(60), all.join_all()).await.unwrap();
        assert!(taken.state.lock().0 == 0 && !taken.line.has_waiters());
    }

    /// Two places.
    #[derive(Default)]
    struct Taken {
        line: Line,
        /// How many are taken, and how often one was given back.
        state: Mutex<(usize, usize)>,
    }

    impl Taken {
        /// How often one was given back, if none is free.
        fn take(&self) -> Result<(), usize> {
            let mut state = self.state.lock();
            if state.0 == 2 {
                return Err(state.1);
            }
            state.0 += 1;
            Ok(())
        }

        fn give_back(&self) {
            let mut state = self.state.lock();
            *state = (state.0 - 1, state.1 + 1);
            drop(state);
            self.line.give_turn();
        }

        async fn used_by(self: Arc<Self>, number: usize) {
            for round in 0..3000 {
                let mut turn: Option<Turn<'_>> = None;
                while let Err(seen) = self.take() {
                    if let Some(turn) = turn.take() {
                        turn.was_vain(&self.line);
                    }
                    let next = self.line.turn(|| self.state.lock().1 != seen);
                    turn = tokio::select! {
                        next = next => Some(next),
                        () = yield_now(), if (round + number).is_multiple_of(3) => None,
                    };
                }
                drop(turn);
                yield_now().await;
                self.give_back();
            }
        }
    }

    /// Scenario: room is given between a vain attempt and the wait.
    /// Guarantee: it is not waited for.
    #[tokio::test]
    async fn what_was_missed_is_a_turn() {
        drop(Line::default().turn(|| true).await);
    }
}
