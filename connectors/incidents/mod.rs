//! `incidents` makes one trace of the alerts that belong together, and tells when incidents open and close.
//!
//! Promises
//! - Every record that is taken goes on to the logs side, once, in order: an alert with the ids of its incident's trace, as
//!   well as the audit event that explains it; everything else untouched.
//! - Every alert is in exactly one incident (unless it is below `min_priority` and none is open), whatever order events
//!   come in.
//! - Every span that a record names is sent, at the latest when the incident ends; a sent span does not change.
//! - With a `storage`, what was acknowledged survives a kill: incidents go on in the same trace, and records come out with
//!   the ids they had. What a sender repeats within ten minutes is recognised.
//! - Incidents, processes, span events and memory are bounded; what is over a bound is counted.
//!
//! Flow: `absorb` asks [`entity`] where a record happened and [`book`] for the incident of that place; [`tree`] keeps its
//! processes, [`entrance`] knows the ways in. Everything changes under the lock of one [`Durable`], which writes it
//! ([`stored`]) and hands it on. A tick a second ends what is quiet and sends what is idle.
//!
//! Times of spans are those of the events. Whether an incident is quiet is measured by arrival, since audit events come up
//! to half a minute late; but an event that says it happened later than the incident could last opens a new one, so a
//! replay of old events gives the incidents that there were.

mod book;
mod cells;
mod config;
mod entity;
mod entrance;
mod ids;
mod incident;
mod process;
mod stored;
#[cfg(test)]
mod tests;
mod tree;

use book::Book;
use cells::Cells;
pub use config::{Config, Plan};
use lanner_engine::{
    prelude::*,
    stage::{Clock, Durable, Now},
};
use std::time::Duration;
use stored::Loaded;

/// How often it is looked for what has ended.
const TICK: Duration = Duration::from_secs(1);
/// How long the last batches may wait for room.
const LAST_HOLD: Duration = Duration::from_secs(2);
/// Added to the monotonic clock, which begins with the process: incidents may have begun before it.
const BEFORE: u64 = 1 << 62;

/// The component.
pub struct Incidents;

impl Component for Incidents {
    const TYPE: &'static str = "incidents";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const PRODUCES: Signals = Signals::LOGS.and(Signals::TRACES);
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

#[async_trait]
impl StagePlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Stage>, BoxError> {
        Ok(Box::new(Running::new(*self, Clock::system(), cx).await?))
    }
}

/// The running connector.
struct Running {
    durable: Durable<Book>,
    clock: Clock,
}

impl Running {
    async fn new(plan: Plan, clock: Clock, cx: &BuildCx) -> Result<Self, BoxError> {
        let storage = plan.storage.as_ref().map(|id| cx.storage(id)).transpose()?;
        let loaded = match &storage {
            Some(storage) => stored::load(&**storage, now(&clock)).await?,
            None => Loaded::default(),
        };
        if !loaded.useless.is_empty() {
            tracing::error!(component = %cx.id, entries = loaded.useless.len(), "stored parts of incidents are damaged and lost");
        }
        let book = Book::new(plan.settings, Cells::new(cx), loaded);
        let durable = Durable::open(cx, storage, clock.clone(), book).await?;
        Ok(Self { durable, clock })
    }

    async fn tick(&self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.durable.change(|book, effects| book.tick(now(&self.clock), effects));
        }
    }
}

fn now(clock: &Clock) -> Now {
    let now = clock.now();
    Now { monotonic: now.monotonic.saturating_add(BEFORE), ..now }
}

#[async_trait]
impl Stage for Running {
    fn absorb(&self, mut batch: Batch) {
        let untouched = batch.clone();
        let is_read = batch.decode().is_ok() && batch.as_logs().is_some();
        self.durable.change(|book, effects| {
            if is_read {
                book.absorb(batch, untouched, now(&self.clock), effects);
            } else {
                book.undecodable(untouched.len());
                effects.emit(untouched);
            }
        });
    }

    fn is_full(&self) -> bool {
        self.durable.is_full()
    }

    fn is_durable(&self) -> bool {
        self.durable.is_durable()
    }

    async fn persist(&self) -> Result<(), BoxError> {
        self.durable.persist().await
    }

    async fn run(&self, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        tokio::select! {
            () = self.durable.deliver(&out, &drain) => {}
            () = self.tick() => {}
        }
        drain.requested().await;
        if !self.durable.is_durable() {
            self.durable.change(|book, effects| book.shut_down(now(&self.clock), effects));
        }
        let left = self.durable.flush(&out, LAST_HOLD).await;
        if left > 0 && !self.durable.is_durable() {
            tracing::error!(items = left, "the pipeline did not take the last records and spans in time");
        }
        Ok(())
    }
}
