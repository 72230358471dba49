//! `nats` takes events from a stream of NATS JetStream, as a durable consumer that fetches.
//!
//! Promises
//! - A message is acknowledged after `consume` took what it holds: what this process had and did not finish comes again.
//! - While the pipelines are busy at most one fetch is held; the server is told that it is being worked on; after `hold` it is
//!   given back with a delay, so that another receiver of the same consumer can have it.
//! - A message that cannot be used is counted with its reason, published to `dead_letter_subject` if there is one, and never
//!   delivered again; it costs no other message.
//! - A message that comes again to the same process, because its acknowledgement got lost, is not taken twice.
//! - The connection comes back by itself; why there are no messages is told once.
//! - On drain nothing more is fetched, what is held is finished, and what nobody looked at is given back at once.
//!
//! `consumer` fetches, `message` is what came, `deliver` hands it over and answers, `taken` knows what it handed over. Connection and protocol are the crate
//! `lanner-nats`.

mod config;
mod consumer;
mod deliver;
mod message;
mod metrics;
mod taken;
#[cfg(test)]
pub(crate) mod tests;

use crate::formats::Source;
use config::{Config, Plan};
use consumer::{End, Session, Trouble};
use deliver::{Delivery, Stopped};
use lanner_engine::{
    prelude::*,
    telemetry::{Health, Status},
};
use lanner_nats::{Kind as FailureKind, Link, Rpc};
use metrics::Metrics;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// Nominal time until it is tried again after trouble.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The component type.
pub struct Nats;

impl Component for Nats {
    const TYPE: &'static str = "nats";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

struct NatsReceiver {
    plan: Plan,
    rpc: Rpc,
    metrics: Metrics,
    health: Health,
    /// As the health of components is named.
    name: String,
}

#[async_trait]
impl ReceiverPlan for Plan {
    /// Reads certificates and credentials. A server that is away is no error: it is waited for.
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Receiver>, BoxError> {
        let link = Link::new(self.connection.clone(), &format!("lanner {}", cx.owner()))?;
        Ok(Box::new(NatsReceiver {
            rpc: Rpc::new(Arc::new(link)),
            metrics: Metrics::new(cx),
            health: cx.health.clone(),
            name: format!("{}:{}", Kind::Receiver, cx.id),
            plan: *self,
        }))
    }
}

#[async_trait]
impl Receiver for NatsReceiver {
    async fn run(self: Box<Self>, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        let Self { plan: Plan { consumer, handling, .. }, rpc, metrics, health, name } = *self;
        let source = Source { identity: consumer.stream.clone().into_bytes(), ..Source::default() };
        let delivery = Delivery { handling, metrics, out, source, taken: Default::default() };
        let mut told: Option<Trouble> = None;
        loop {
            let opened = tokio::select! {
                biased;
                () = drain.requested() => break,
                opened = Session::open(&rpc, &consumer) => opened,
            };
            let end = match opened {
                Ok(session) => {
                    tracing::info!(receiver = %name, stream = consumer.stream, consumer = consumer.name, "taking messages");
                    health.report(&name, Status::Ok);
                    delivery.metrics.connected.set(1);
                    work(&rpc, session, &delivery, &drain, || told = None).await
                }
                Err(trouble) => End::Trouble(trouble),
            };
            delivery.metrics.connected.set(0);
            let trouble = match end {
                End::Drained => break,
                End::Stale => continue,
                End::Trouble(trouble) => trouble,
            };
            if told.as_ref() != Some(&trouble) {
                tracing::warn!(receiver = %name, reason = %trouble, "no messages from NATS; trying on");
            }
            health.report(&name, status(&trouble));
            told = Some(trouble);
            tokio::select! {
                biased;
                () = drain.requested() => break,
                () = sleep(TRY_AGAIN.mul_f64(0.5 + fastrand::f64())) => {}
            }
        }
        rpc.link().close().await;
        Ok(())
    }
}

fn status(trouble: &Trouble) -> Status {
    match trouble {
        Trouble::Unusable(_) => Status::Permanent(trouble.to_string()),
        Trouble::Failure(failure) if failure.kind() == FailureKind::Permanent => Status::Permanent(trouble.to_string()),
        _ => Status::Recoverable(trouble.to_string()),
    }
}

/// Delivers messages until the session is over; `progress` is called whenever some came.
async fn work(
    rpc: &Rpc,
    mut session: Session<'_>,
    delivery: &Delivery,
    drain: &Drain,
    mut progress: impl FnMut(),
) -> End {
    let end = loop {
        match session.messages(drain).await {
            Ok(messages) => {
                progress();
                if let Err(Stopped) = delivery.deliver(rpc, &session, messages).await {
                    break End::Drained;
                }
            }
            Err(end) => break end,
        }
    };
    if matches!(end, End::Drained) {
        delivery.metrics.stopping.add(session.give_back().await as u64);
    }
    end
}
