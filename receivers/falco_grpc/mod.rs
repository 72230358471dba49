//! `falco_grpc` takes alerts from the gRPC server of Falco 0.24 to 0.43, as its client.
//!
//! Promises: what was read from Falco is delivered, or counted with a reason; nothing is read that the pipelines do not
//! take, so that the backlog stays with Falco; a connection that ended is made again within 5 s, however it ended, and a
//! stream that broke is counted and logged as a gap; no message ends the stream or the process.
//! What cannot be promised: Falco hands each alert to one client, once, without waiting for an acknowledgement. What it
//! had written to a connection that breaks is gone, at most a window of 256 KiB.
//!
//! ```text
//! connect (socket, TLS) -> client (HTTP/2, guard) -> session (version, requests, batches) -> deliver (alert) -> consume
//! ```
//! This file connects again and again and tells how it goes.

mod address;
mod alert;
mod asking;
mod backoff;
mod client;
mod codec;
mod config;
mod connect;
mod deliver;
mod failure;
mod guard;
mod metrics;
mod session;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod version;

pub use address::{Address, InvalidAddress};
pub use config::{Config, Method, Plan};

use backoff::Backoff;
use failure::Failure;
use lanner_engine::{
    prelude::*,
    telemetry::{Health, Status},
};
use session::{End, Progress, Session};
use std::{future::pending, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};
use version::Version;

/// How long alerts that are on their way are taken while Lanner stops.
const FINISH: Duration = Duration::from_secs(2);
/// A connection that lasted this long, or brought alerts, was a good one.
const GOOD_AFTER: Duration = Duration::from_secs(10);

/// The component type.
pub struct FalcoGrpc;

impl Component for FalcoGrpc {
    const TYPE: &'static str = "falco_grpc";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

struct GrpcReceiver {
    plan: Plan,
    connector: connect::Connector,
    mapping: Arc<alert::Mapping>,
    metrics: metrics::Metrics,
    health: Health,
    /// As the health of components is named.
    name: String,
}

#[async_trait]
impl ReceiverPlan for Plan {
    /// Reads certificates. A Falco that is away is no error: it is waited for.
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Receiver>, BoxError> {
        Ok(Box::new(GrpcReceiver {
            connector: connect::Connector::new(&self)?,
            mapping: Arc::new(alert::Mapping::new(&self.semantics, cx)),
            metrics: metrics::Metrics::new(cx),
            health: cx.health.clone(),
            name: format!("{}:{}", Kind::Receiver, cx.id),
            plan: *self,
        }))
    }
}

#[async_trait]
impl Receiver for GrpcReceiver {
    async fn run(self: Box<Self>, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        let Self { plan, connector, mapping, metrics, health, name } = *self;
        let over = Drain::new();
        let mut state = State { health, name, backoff: Backoff::default(), good: false, told: None };
        let session = Session {
            connector,
            method: plan.method,
            interval: plan.interval,
            max_message: plan.max_message,
            delivery: deliver::Delivery { mapping, metrics, out, over: over.clone() },
            drain: drain.clone(),
        };
        let give_up = async {
            drain.requested().await;
            sleep(FINISH).await;
            over.request();
            pending().await
        };
        tokio::select! {
            () = state.keep_connected(&session) => Ok(()),
            () = give_up => Ok(()),
        }
    }
}

/// What is known beyond one connection.
struct State {
    health: Health,
    name: String,
    backoff: Backoff,
    /// Whether this connection brought alerts.
    good: bool,
    /// What was logged last, so that it is logged once.
    told: Option<String>,
}

impl State {
    async fn keep_connected(&mut self, session: &Session) {
        let metrics = &session.delivery.metrics;
        loop {
            let start = Instant::now();
            self.good = false;
            let end = session.run(&mut Watched { state: self, session }).await;
            metrics.connected.set(0);
            if self.good || start.elapsed() >= GOOD_AFTER {
                self.backoff.reset();
                self.told = None;
            }
            let failure = match end {
                End::Drained => return,
                End::Ended => None,
                End::Failed(failure) => Some(failure),
            };
            metrics.reconnect(failure.as_ref());
            self.tell(failure, session);
            tokio::select! {
                biased;
                () = session.drain.requested() => return,
                () = sleep(self.backoff.next_delay()) => {}
            }
        }
    }

    /// Reports the end of a connection: every time to the health, once to the log.
    fn tell(&mut self, failure: Option<Failure>, session: &Session) {
        let endpoint = session.connector.address();
        let (text, permanent) = match &failure {
            Some(failure) => (failure.to_string(), failure.is_permanent()),
            None => ("Falco ended the stream".to_owned(), false),
        };
        if self.told.as_ref() == Some(&text) {
            tracing::debug!(%endpoint, reason = text, "still no alerts from Falco; trying on");
        } else {
            tracing::warn!(%endpoint, reason = text, "no alerts from Falco; trying on");
        }
        self.told = Some(text.clone());
        let status = if permanent { Status::Permanent(text) } else { Status::Recoverable(text) };
        self.health.report(&self.name, status);
    }
}

/// A session's progress, seen from here.
struct Watched<'a> {
    state: &'a mut State,
    session: &'a Session,
}

impl Progress for Watched<'_> {
    fn answered(&mut self, version: &Version) {
        let endpoint = self.session.connector.address();
        tracing::info!(%endpoint, version = version.text, "connected to Falco");
        if version.has_no_grpc() {
            tracing::warn!("{}", Failure::Removed(version.text.clone()));
        }
    }

    fn connected(&mut self) {
        self.session.delivery.metrics.connected.set(1);
        self.state.health.report(&self.state.name, Status::Ok);
    }

    fn received(&mut self) {
        self.state.good = true;
    }
}
