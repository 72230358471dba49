//! `kafka` takes logs, metrics and traces from topics of Kafka, as a member of a consumer group.
//!
//! Promises
//! - A message's offset is committed only after every queue behind the receiver has what it holds. What was not committed is
//!   read again, by this Lanner or another one: at least once.
//! - A busy pipeline loses nothing and costs no membership: partitions are paused.
//! - A message that cannot be read is counted with its reason, and those behind it arrive.
//! - Draining commits what was taken, for a bounded time.
//!
//! ```text
//! client (group, offsets) -> session (fetch, pause, store) -> read (formats) -> consume
//! ```
//! This file joins, and joins again when the client has failed.

mod check;
mod client;
pub mod config;
mod read;
mod session;
#[cfg(test)]
pub(crate) mod tests;

use crate::counters::ByReason;
use check::Plan;
use client::{Events, Member};
use config::Config;
use lanner_engine::{
    prelude::*,
    telemetry::{Counter, Gauge},
};
use rdkafka::ClientConfig;
use session::{End, Session};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::sleep;

/// Before a client that has failed is replaced.
const BEFORE_A_NEW_CLIENT: Duration = Duration::from_secs(5);

/// The component type.
pub struct Kafka;

impl Component for Kafka {
    const TYPE: &'static str = "kafka";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::ALL;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

/// What this receiver counts beside the engine.
pub struct Metrics {
    degraded: ByReason,
    unusable: ByReason,
    /// How often the partitions were paused because the pipelines were busy.
    pauses: Counter,
    /// Age of the message accepted last.
    lag: Gauge,
}

impl Metrics {
    fn new(cx: &BuildCx) -> Self {
        let labels = [("receiver", cx.id.as_str())];
        let pauses = "Pauses of the partitions because the pipelines were busy";
        Self {
            degraded: ByReason::degraded(cx),
            unusable: ByReason::unusable(cx),
            pauses: cx.telemetry.counter("lanner.kafka.pauses", pauses, "{pause}", &labels),
            lag: cx.telemetry.gauge("lanner.kafka.lag", "Age of the message accepted last", "ms", &labels),
        }
    }

    /// A message written at `time` (nanoseconds since 1970) was accepted.
    fn lag(&self, time: u64) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(time);
        let age = SystemTime::now().duration_since(time).unwrap_or_default();
        self.lag.set(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    }
}

struct KafkaReceiver {
    plan: Arc<Plan>,
    config: ClientConfig,
    events: Events,
    metrics: Metrics,
}

#[async_trait]
impl ReceiverPlan for Plan {
    /// Reads certificates. Brokers that are away are no error: they are waited for.
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Receiver>, BoxError> {
        let config = client::client_config(&self)?;
        let (events, metrics) = (Events::new(cx), Metrics::new(cx));
        Ok(Box::new(KafkaReceiver { plan: Arc::new(*self), config, events, metrics }))
    }
}

#[async_trait]
impl Receiver for KafkaReceiver {
    async fn run(self: Box<Self>, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        let Self { plan, config, events, metrics } = *self;
        let topics = plan.topics.iter().filter(|(_, (signal, _))| out.signals().contains(*signal));
        let topics: Vec<&str> = topics.map(|(topic, _)| topic.as_str()).collect();
        if topics.is_empty() {
            drain.requested().await;
            return Ok(());
        }
        loop {
            let member = Member::join(&config, events.clone(), &topics)?;
            let mut session = Session {
                plan: &plan,
                member: &member,
                events: &events,
                metrics: &metrics,
                out: &out,
                drain: &drain,
                held: VecDeque::new(),
            };
            let end = session.run().await;
            drop(session);
            member.leave().await;
            if let End::Drained = end {
                return Ok(());
            }
            tokio::select! {
                () = drain.requested() => return Ok(()),
                () = sleep(BEFORE_A_NEW_CLIENT) => {}
            }
        }
    }
}
