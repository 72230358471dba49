//! Turns to send, given out evenly over time to whoever asks first.
//!
//! A turn that nobody has asked for yet is kept: a peer that falls behind gets what it has missed as soon as it can take it.

use crate::pause::pause;
use std::{
    num::NonZeroU32,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// How often turns are given out. Finer than the clock of tokio, whose ticks of a millisecond would make bursts.
const GRAIN: Duration = Duration::from_micros(50);

/// See the head of the module.
#[derive(Clone)]
pub struct Pace(Arc<Semaphore>);

impl Pace {
    /// So many turns a second until `end`, by a thread of its own, which ends then.
    pub fn until(end: Instant, rate: NonZeroU32) -> Self {
        let turns = Arc::new(Semaphore::new(0));
        let pace = Self(Arc::clone(&turns));
        thread::spawn(move || {
            let (start, mut given) = (Instant::now(), 0);
            while Instant::now() < end {
                let due = (start.elapsed().as_secs_f64() * f64::from(rate.get())) as usize;
                turns.add_permits(due - given);
                given = due;
                pause(GRAIN);
            }
            turns.close();
        });
        pace
    }

    /// Waits for a turn; says whether there is one, since after the end there is none.
    pub async fn turn(&self) -> bool {
        self.0.acquire().await.map(|turn| turn.forget()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: somebody takes every turn of a fifth of a second.
    /// Guarantee: there are as many as the rate says and never more, however late the thread was, and then no more.
    #[tokio::test]
    async fn turns_are_as_many_as_the_rate_says() {
        let length = Duration::from_millis(200);
        let pace = Pace::until(Instant::now() + length, NonZeroU32::new(10_000).unwrap());
        let mut turns = 0;
        while pace.turn().await {
            turns += 1;
        }
        assert!((1..=2000).contains(&turns), "{turns}");
        assert!(!pace.turn().await);
    }
}
