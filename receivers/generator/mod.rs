//! `generator` makes up Falco alerts, for demonstrations and load.
//!
//! Promises: every record carries `lanner.synthetic` = true, so that nobody takes it for real and a filter can find
//! it; the same seed makes the same alerts, but for their times; while the pipeline is full it waits, losing nothing
//! and catching up afterwards at most one second's worth; names and addresses are fictional (`.example`, networks
//! reserved for documentation).
//!
//! Alerts are JSON that goes through the same mapping as a real one, so a demonstration shows the real thing.

mod config;
mod pace;
mod story;
#[cfg(test)]
mod tests;

use config::{Config, Plan, Scenario};
use lanner_engine::{
    prelude::*,
    semantics::{FalcoMapper, falco, keys},
};
use pace::Pace;
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use story::Story;

/// The component type.
pub struct Generator;

impl Component for Generator {
    const TYPE: &'static str = "generator";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

/// What runs: a story, told at a pace.
pub struct Source {
    story: Story,
    pace: Pace,
    /// Alerts still to make; `None` without end.
    left: Option<u64>,
    mapper: FalcoMapper,
    scope: Arc<Scope>,
}

impl Source {
    fn new(config: Config) -> Self {
        let attack = config.scenario == Scenario::Attack;
        let cycle = attack.then_some((story::ATTACK_STEPS, config.interval.0));
        Self {
            story: Story::new(config.seed, attack),
            pace: Pace::new(config.rate, cycle),
            left: (config.count > 0).then_some(config.count),
            mapper: FalcoMapper::new(&config.semantics),
            scope: falco::scope("lanner.receiver.falco"),
        }
    }

    /// The next `count` alerts as records.
    fn make(&mut self, count: u64) -> Logs {
        let mut logs = Logs::default();
        for _ in 0..count {
            let now = now();
            let alert: Arc<str> = self.story.next(now).into();
            self.mapper.map_body(&alert, now, &self.scope, &mut logs);
        }
        for record in logs.records_mut() {
            record.attrs.set(keys::SYNTHETIC.clone(), true);
        }
        logs
    }
}

#[async_trait]
impl Receiver for Source {
    async fn run(mut self: Box<Self>, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        while self.left != Some(0) {
            let due = tokio::select! {
                biased;
                () = drain.requested() => return Ok(()),
                due = self.pace.due() => due,
            };
            let count = self.left.map_or(due, |left| left.min(due));
            let batch = Batch::logs(self.make(count));
            match out.consume_patiently(batch, &drain).await {
                Ok(()) => {}
                Err(Refused::Draining | Refused::Busy { .. }) => {
                    out.failed(count, "draining");
                    return Ok(());
                }
                Err(Refused::Invalid(reason)) => tracing::warn!(reason, "the pipeline refused synthetic alerts"),
            }
            self.left = self.left.map(|left| left - count);
        }
        // Done; but the process ends with its last receiver, and whoever looks at the demonstration has not.
        drain.requested().await;
        Ok(())
    }
}

/// Nanoseconds since 1970; 0 when the clock stands before it.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
