//! `event_metrics` makes metrics of events: how many there were, and when the last one was, by attributes.
//!
//! Promises: every record it takes is counted in exactly one series of each metric that matches it, also under
//! concurrency; memory is bounded by `max_series` per metric, whatever the events contain; counts survive a busy
//! pipeline, because the next snapshot repeats them; on drain the last snapshot goes out.
//!
//! Flow: `absorb` counts under a short lock ([`table`]); `run` wakes at the first new count, waits out `interval`,
//! takes a snapshot and hands it on as OTLP ([`metric`]). Without events nothing wakes up but a refresh every
//! minute, which keeps the series alive in sinks that forget silent ones.
//!
//! It says which attributes it reads (`reads_only`), so that a receiver in front of it alone maps no more of an event.
//! `absorb` is on the hot path: one key built in a kept buffer and one lookup per alert and group of metrics with
//! equal labels; the test `cost_of_absorb` prints what that takes and holds it under 1 us in release builds.

mod config;
mod label;
mod metric;
mod recognise;
mod sets;
mod table;
#[cfg(test)]
mod tests;

pub use config::{Config, MetricConfig, Plan};
use label::Label;
use lanner_engine::{
    event::KeySet,
    prelude::*,
    semantics,
    stage::{Clock, nanos},
    telemetry::{Counter, Gauge},
};
use metric::{Definition, Encoder};
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst},
    time::Duration,
};
use table::{Point, Table};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

/// Series are handed on at least this often: the `prometheus` exporter forgets what was silent for 5 minutes.
const REFRESH: Duration = Duration::from_secs(60);
/// How long the last snapshot may wait for room.
const LAST_HOLD: Duration = Duration::from_secs(2);

/// The component.
pub struct EventMetrics;

impl Component for EventMetrics {
    const TYPE: &'static str = "event_metrics";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const PRODUCES: Signals = Signals::METRICS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(&mut |path, error| cx.error(path, Finding(error)))
    }
}

/// A boxed error as an error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Finding(BoxError);

#[async_trait]
impl StagePlan for Plan {
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Stage>, BoxError> {
        Ok(Box::new(Running::new(*self, Clock::system(), cx)))
    }
}

/// The running connector.
struct Running {
    tables: Vec<(Definition, Table)>,
    interval: Duration,
    expire_after: Duration,
    clock: Clock,
    /// Tells this process from others that report the same metrics.
    instance: String,
    changed: Notify,
    /// Whether there are counts that no snapshot has yet.
    dirty: AtomicBool,
    /// When the last snapshot that was handed on was taken, on the monotonic clock.
    handed_on: AtomicU64,
    cells: Cells,
}

/// Own metrics. `counted + unmatched + undecodable` is what was taken.
struct Cells {
    counted: Counter,
    unmatched: Counter,
    undecodable: Counter,
    overflowed: Counter,
    expired: Counter,
    series: Gauge,
}

impl Cells {
    fn new(cx: &BuildCx) -> Self {
        let id = ("connector", cx.id.as_str());
        let records = |outcome| {
            let help = "Log records taken by the connector, by what became of them.";
            cx.telemetry.counter("lanner_event_metrics_records", help, "{record}", &[id, ("outcome", outcome)])
        };
        let overflowed = "Events counted in an overflow series because of max_series.";
        let expired = "Series forgotten because they were idle.";
        Self {
            counted: records("counted"),
            unmatched: records("unmatched"),
            undecodable: records("undecodable"),
            overflowed: cx.telemetry.counter("lanner_event_metrics_overflowed", overflowed, "{event}", &[id]),
            expired: cx.telemetry.counter("lanner_event_metrics_expired_series", expired, "{series}", &[id]),
            series: cx.telemetry.gauge("lanner_event_metrics_series", "Series held.", "{series}", &[id]),
        }
    }
}

impl Running {
    fn new(plan: Plan, clock: Clock, cx: &BuildCx) -> Self {
        let table = |definition: Definition| {
            let table = Table::new(definition.grouping.clone(), plan.max_series);
            (definition, table)
        };
        Self {
            tables: plan.definitions.into_iter().map(table).collect(),
            interval: plan.interval,
            expire_after: plan.expire_after,
            clock,
            instance: format!("{:032x}", fastrand::u128(..)),
            changed: Notify::new(),
            dirty: AtomicBool::new(false),
            handed_on: AtomicU64::new(0),
            cells: Cells::new(cx),
        }
    }

    /// Waits until there is something to emit: new counts, or series to refresh.
    async fn wait_for_change(&self) {
        while !self.dirty.load(SeqCst) {
            let refresh = async {
                match self.cells.series.get() {
                    0 => std::future::pending().await,
                    _ => sleep(REFRESH).await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = refresh => return,
            }
        }
    }

    /// Takes a snapshot and hands it on. What was not taken goes with the next snapshot.
    async fn emit(&self, out: &Consumer, hold: Duration) -> Result<(), Refused> {
        self.dirty.store(false, SeqCst);
        self.expire();
        let now = self.clock.now();
        let mut encoder = Encoder::new(&self.instance, now.unix);
        let mut series = 0;
        for (definition, table) in &self.tables {
            let points: Vec<Point> = table.points();
            series += points.len();
            encoder.add(definition, &points);
        }
        self.cells.series.set(i64::try_from(series).unwrap_or(i64::MAX));
        for request in encoder.finish() {
            if let Err(refused) = out.consume_within(Batch::otlp(request), hold).await {
                self.dirty.store(true, SeqCst);
                return Err(refused);
            }
        }
        self.handed_on.store(now.monotonic, Relaxed);
        Ok(())
    }

    /// Forgets idle series, but none with an event that was not handed on yet.
    fn expire(&self) {
        let idle_since = self.clock.now().monotonic.saturating_sub(nanos(self.expire_after));
        let idle_since = idle_since.min(self.handed_on.load(Relaxed));
        let expired: usize = self.tables.iter().map(|(_, table)| table.expire(idle_since)).sum();
        self.cells.expired.add(expired as u64);
    }
}

#[async_trait]
impl Stage for Running {
    fn reads_only(&self) -> Option<KeySet> {
        let labels = self.tables.iter().flat_map(|(_, table)| &table.grouping.labels);
        Some(labels.flat_map(Label::reads).chain(semantics::recognised_by()).collect())
    }

    fn absorb(&self, mut batch: Batch) {
        let items = batch.len();
        let logs = match batch.decode() {
            Ok(()) => batch.as_logs(),
            Err(_) => None,
        };
        let Some(logs) = logs else {
            self.cells.undecodable.add(items as u64);
            return;
        };
        let now = self.clock.now();
        let mut one = [false];
        let mut many = Vec::new();
        let seen = match items {
            0 | 1 => &mut one[..],
            _ => {
                many.resize(items, false);
                &mut many[..]
            }
        };
        let mut overflowed = 0;
        for (_, table) in &self.tables {
            overflowed += table.count(logs, now, seen).overflowed;
        }
        let counted = seen.iter().filter(|seen| **seen).count();
        self.cells.counted.add(counted as u64);
        if counted < items {
            self.cells.unmatched.add((items - counted) as u64);
        }
        if overflowed > 0 {
            self.cells.overflowed.add(overflowed);
        }
        if counted > 0 && !self.dirty.swap(true, SeqCst) {
            self.changed.notify_one();
        }
    }

    async fn run(&self, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        let mut not_before = Instant::now();
        loop {
            tokio::select! {
                () = drain.requested() => break,
                () = async { self.wait_for_change().await; sleep_until(not_before).await } => {}
            }
            let pause = match self.emit(&out, Duration::ZERO).await {
                Ok(()) => self.interval,
                Err(Refused::Busy { retry_after, .. }) => self.interval.max(retry_after),
                Err(Refused::Draining) => break,
                Err(refused @ Refused::Invalid(_)) => {
                    tracing::warn!(error = %refused, "the pipeline refuses metrics; trying again in a minute");
                    REFRESH
                }
            };
            not_before = Instant::now() + pause;
        }
        drain.requested().await;
        if self.dirty.load(SeqCst)
            && let Err(refused) = self.emit(&out, LAST_HOLD).await
        {
            tracing::warn!(error = %refused, "the last counts were not handed on");
        }
        Ok(())
    }
}
