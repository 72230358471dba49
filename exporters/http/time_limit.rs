//! The time that each exchange of a client has.
//!
//! Promise: it is counted from the begin of the exchange over all its parts.
//!
//! Why timers are kept: one that is put off stays where the runtime has it, while a new one takes the lock of all timers, when it
//! begins and when it ends.

use parking_lot::Mutex;
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};
use tokio::{
    task::coop::unconstrained,
    time::{Instant, Sleep, sleep},
};

/// So much time for each exchange, or as much as it takes.
pub struct TimeLimit {
    limit: Option<Duration>,
    /// Timers that no exchange has; as many as there were exchanges at once.
    timers: Mutex<Vec<Pin<Box<Sleep>>>>,
}

/// When the time of an exchange is over, if ever.
pub struct Over<'l> {
    of: &'l TimeLimit,
    /// With the limit it stands for.
    timer: Option<(Duration, Pin<Box<Sleep>>)>,
}

/// The time of an exchange is over: that much.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
pub struct TimeIsOver(pub Duration);

impl TimeLimit {
    pub fn new(limit: Option<Duration>) -> Self {
        Self { limit, timers: Mutex::default() }
    }

    /// The time of an exchange that begins now.
    pub fn begin(&self) -> Over<'_> {
        let timer = self.limit.map(|limit| {
            let Some(mut timer) = self.timers.lock().pop() else { return (limit, Box::pin(sleep(limit))) };
            timer.as_mut().reset(Instant::now() + limit);
            (limit, timer)
        });
        Over { of: self, timer }
    }
}

impl Over<'_> {
    /// What comes in time.
    ///
    /// # Errors
    /// The time is over first.
    pub async fn or<T>(&mut self, work: impl Future<Output = T>) -> Result<T, TimeIsOver> {
        let Some((limit, timer)) = &mut self.timer else { return Ok(work.await) };
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            // Even if the work has used up what the runtime lets a task do at a time.
            Poll::Pending => pin!(unconstrained(timer.as_mut())).poll(cx).map(|()| Err(TimeIsOver(*limit))),
        })
        .await
    }
}

impl Drop for Over<'_> {
    /// The timer serves the next exchange.
    fn drop(&mut self) {
        if let Some((_, timer)) = self.timer.take() {
            self.of.timers.lock().push(timer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    /// Scenario: exchanges of which one takes too long in its second part, before and after others that were quick, some at once.
    /// Guarantee: each has its whole time, and no more, from its own begin; timers are made for those at once only.
    #[tokio::test(start_paused = true)]
    async fn each_exchange_has_its_own_time() {
        let second = Duration::from_secs(1);
        let limit = TimeLimit::new(Some(3 * second));
        for _ in 0..2 {
            let mut over = limit.begin();
            over.or(sleep(2 * second)).await.unwrap();
            let begun = Instant::now();
            assert_eq!(over.or(pending::<()>()).await.unwrap_err().to_string(), "no answer within 3s");
            assert_eq!(begun.elapsed().as_secs(), 1);
            drop(over);
            let mut both = [limit.begin(), limit.begin()];
            assert!(both[0].or(sleep(2 * second)).await.is_ok() && both[1].or(ready(())).await.is_ok());
        }
        assert_eq!(limit.timers.lock().len(), 2);
    }

    /// Scenario: an exchange without a limit.
    /// Guarantee: it ends when its work does.
    #[tokio::test(start_paused = true)]
    async fn without_a_limit_time_does_not_matter() {
        let limit = TimeLimit::new(None);
        limit.begin().or(sleep(Duration::from_secs(1 << 20))).await.unwrap();
    }

    /// Scenario: work that is never done and never waits.
    /// Guarantee: its time is over all the same.
    #[tokio::test]
    async fn restless_work_has_no_more_time() {
        let limit = TimeLimit::new(Some(Duration::from_millis(10)));
        let restless = async {
            loop {
                tokio::task::coop::consume_budget().await;
            }
        };
        assert!(limit.begin().or::<()>(restless).await.is_err());
    }
}
