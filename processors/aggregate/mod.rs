//! `aggregate` folds records that are alike: repeats, records over a rate, and those below a threshold.
//!
//! Promises
//! - Every record that is taken passes as it is, is counted in exactly one summary, or is left out under a reason; at any
//!   moment the counters add up ([`metrics`]).
//! - With a `storage` that holds over kills as well: a record is acknowledged once its count is on disk, a repeated one is
//!   known by its `log.record.uid`, and what goes out twice has the same id both times.
//! - Memory is bounded, whatever the events contain. A record for which there is no room passes.
//! - Windows go by the time of arrival on the monotonic clock: neither a wrong clock of a sender nor a step of our own
//!   opens or closes one. Over a restart they go by the wall clock, and never longer than their size.
//!
//! Flow: `absorb` makes the keys of a batch outside the lock, then judges all records of it under the lock ([`groups`],
//! [`window`]); what passes and what is due goes to the outbox of [`Durable`]. `run` ends windows in time and hands on.

mod config;
mod folded;
mod group;
mod groups;
mod key;
mod metrics;
mod prepared;
mod stored;
#[cfg(test)]
mod tests;
mod window;

use config::{Config, Plan};
use folded::Summaries;
use groups::Groups;
use key::Fields;
use lanner_conditions::Condition;
use lanner_engine::{
    prelude::*,
    stage::{Clock, Durable},
};
use metrics::Cells;
use prepared::with_prepared;
use std::time::Duration;
use stored::Settings;
use tokio::sync::Notify;

/// Groups that are ended in one go: so many summaries are a batch.
const AT_ONCE: usize = 1000;
/// How long what is left at the end may wait for room.
const LAST_HOLD: Duration = Duration::from_secs(2);
/// How soon windows are looked at again when there is no room for their summaries.
const BREATH: Duration = Duration::from_millis(50);

/// The component.
pub struct Aggregate;

impl Component for Aggregate {
    const TYPE: &'static str = "aggregate";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
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
        Ok(Box::new(Running::open(*self, Clock::system(), cx).await?))
    }
}

/// The running processor.
struct Running {
    condition: Option<Condition>,
    fields: Fields,
    durable: Durable<Groups>,
    clock: Clock,
    flush_on_drain: bool,
    /// There is a window where there was none.
    opened: Notify,
}

impl Running {
    /// Goes on where a former run with the same storage stopped.
    async fn open(plan: Plan, clock: Clock, cx: &BuildCx) -> Result<Self, BoxError> {
        let Plan { condition, fields, rules, window, storage, flush_on_drain } = plan;
        let storage = storage.as_ref().map(|id| cx.storage(id)).transpose()?;
        let settings = Settings { fields: fields.names().to_vec(), window, shape: format!("{:?}", rules.shape) };
        let (shape, kept) = (rules.shape.clone(), storage.is_some().then(|| settings.to_bytes()));
        let mut groups =
            Groups::new(rules, Summaries::new(&cx.owner(), &settings), Cells::new(cx), clock.clone(), kept);
        let mut former = None;
        if let Some(storage) = &storage {
            let (numbers, texts) = (storage.scan(stored::NUMBERS).await?, storage.scan(stored::TEXTS).await?);
            let (known, useless) = stored::read(numbers, texts, &shape, clock.now());
            if !useless.is_empty() {
                tracing::error!(component = %cx.id, entries = useless.len(), "stored groups are damaged and lost");
            }
            groups.restore(known, useless);
            former = storage.get(stored::SETTINGS).await?.as_deref().map(Settings::from_bytes);
        }
        let durable = Durable::open(cx, storage, clock.clone(), groups).await?;
        let flush_on_drain = flush_on_drain || !durable.is_durable();
        let running = Self { condition, fields, durable, clock, flush_on_drain, opened: Notify::new() };
        if let Some(former) = former.filter(|former| former.as_ref() != Some(&settings)) {
            // Settings that cannot be read may have been others.
            running.close_former(Summaries::new(&cx.owner(), &former.unwrap_or(settings)));
        }
        Ok(running)
    }

    /// Hands on what was folded under another configuration, whose summaries these are.
    fn close_former(&self, summaries: Summaries) {
        let current = self.durable.change(|groups, _| groups.summarise_with(summaries));
        while self.emit(|groups, due| groups.close(self.clock.now(), AT_ONCE, true, due)) {}
        self.durable.change(|groups, _| groups.summarise_with(current));
    }

    /// Ends windows in time, until drained.
    async fn end_windows(&self, drain: &Drain) {
        loop {
            let due = self.durable.change(|groups, _| groups.next_due());
            let wait = async {
                match due {
                    _ if self.durable.is_full() => tokio::time::sleep(BREATH).await,
                    Some(due) => {
                        let left = due.saturating_sub(self.clock.now().monotonic);
                        tokio::time::sleep(Duration::from_nanos(left)).await;
                    }
                    None => self.opened.notified().await,
                }
            };
            tokio::select! {
                () = wait => {}
                () = drain.requested() => return,
            }
            if !self.durable.is_full() {
                self.emit(|groups, due| groups.turn(self.clock.now(), AT_ONCE, due));
            }
        }
    }

    fn emit<R>(&self, make: impl FnOnce(&mut Groups, &mut Logs) -> R) -> R {
        self.durable.change(|groups, effects| {
            let mut due = Logs::default();
            let result = make(groups, &mut due);
            effects.emit(Batch::logs(due));
            result
        })
    }
}

#[async_trait]
impl Stage for Running {
    fn absorb(&self, batch: Batch) {
        let mut decoded = batch.clone();
        let Some(logs) = decoded.decode().ok().and_then(|()| decoded.as_logs()) else {
            self.durable.change(|groups, effects| {
                groups.cells.undecodable.add(batch.len() as u64);
                effects.emit(batch);
            });
            return;
        };
        with_prepared(|prepared| {
            prepared.fill(logs, self.condition.as_ref(), &self.fields);
            let first = self.durable.change(|groups, effects| {
                let before = groups.next_due().is_none();
                let due = prepared.judge(logs, groups, effects, self.clock.now());
                effects.emit(Batch::logs(due));
                match prepared.passing() {
                    (0, _) => {}
                    (some, all) if some < all => effects.emit(Batch::logs(prepared.rest(logs))),
                    _ => effects.emit(batch),
                }
                groups.show();
                before
            });
            if first {
                self.opened.notify_one();
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
        tokio::join!(self.durable.deliver(&out, &drain), self.end_windows(&drain));
        let mut more = self.flush_on_drain;
        while more {
            more = self.emit(|groups, due| groups.close(self.clock.now(), AT_ONCE, false, due));
            if self.durable.flush(&out, LAST_HOLD).await > 0 {
                break;
            }
        }
        let left = self.durable.flush(&out, LAST_HOLD).await;
        if !self.durable.is_durable() && (more || left > 0) {
            let folded = self.durable.change(|groups, _| groups.folded());
            tracing::error!(
                records = left,
                folded,
                "the pipeline did not take the last records in time; they are lost"
            );
            self.durable.change(|groups, _| groups.cells.lost.add(left as u64 + folded));
        }
        Ok(())
    }
}
