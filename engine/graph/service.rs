//! `Service`: a graph that runs, and the reloads that replace it.
//!
//! Promises
//! - The first start is a reload from nothing.
//! - A configuration that cannot be built changes nothing: it is rehearsed beside the running graph first. If it fails
//!   all the same in earnest, the former graph is built again, from its own plan.
//! - Over a reload no connection is refused (listeners stay open, clients wait in the kernel's queue), nothing accepted is
//!   lost or counted twice (queues stay, with what waits in them), and no state has two owners at a time.
//! - A component that fails ends the service in order, and so does the end of the last receiver.
//!
//! ```text
//! plan -> check storages -> rehearse -> stop receivers -> flush and stop stages -> hand queues over -> stop exporters
//!      -> build extensions and graph -> start -> finish exporters that are gone -> stop extensions that are gone
//! ```
//! Why stop the old before building the new: stages and exporters load at their build what their predecessors write at
//! their end (windows, incidents, checkpoints, threads). The gap is as long as requests in flight and the build take, as
//! a rule some milliseconds; its bounds are 3/10 of the shutdown deadline for receivers, half of it with stages, then
//! 2 s for attempts in flight.

use super::{
    BuildError, RunError, Surroundings,
    build::Graph,
    extensions::Extensions,
    kept::{Ground, Queues},
    plan::{Blueprint, Plan},
    rehearsal::rehearse,
    running::{Outlet, Running},
    tier::first_failure,
};
use crate::{
    component::{ComponentId, Drain, Kind},
    delivery::{complaints::component_name, queue::SendingQueue},
    net::{Listeners, Sockets},
    telemetry::Status,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};

/// A configuration that is not what runs now.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// Nothing was touched: what ran goes on.
    #[error("{0}")]
    Refused(BuildError),
    /// What ran before runs again.
    #[error("{0}")]
    RolledBack(BuildError),
    /// Nothing runs; queues are kept.
    #[error("{0}")]
    Down(BuildError),
}

/// A graph that can be replaced while it runs.
pub struct Service {
    around: Surroundings,
    /// How long a stop may take.
    deadline: Duration,
    listeners: Listeners,
    extensions: Extensions,
    queues: Queues,
    running: Option<(Running, Sockets, Blueprint)>,
    /// Exporters that a reload took out, while they send what they have.
    leaving: JoinSet<()>,
    /// Components that the health knows of.
    shown: BTreeSet<String>,
}

impl Service {
    /// Nothing runs yet. `deadline` is how long a stop may take.
    pub fn new(around: Surroundings, deadline: Duration) -> Self {
        Self {
            around,
            deadline,
            listeners: Listeners::default(),
            extensions: Extensions::default(),
            queues: Queues::new(),
            running: None,
            leaving: JoinSet::new(),
            shown: BTreeSet::new(),
        }
    }

    /// Whether a graph runs.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Runs this configuration instead of the one that runs, if any does.
    ///
    /// Not cancel-safe: dropped, it may leave nothing running. It takes a bounded time but for builds.
    ///
    /// # Errors
    /// [`SwapError`]: what runs then.
    pub async fn swap(&mut self, to: Blueprint) -> Result<(), SwapError> {
        let mut plan = to.plan();
        self.extensions.check(&plan.extensions).map_err(SwapError::Refused)?;
        let mut before = None;
        if let Some((running, sockets, blueprint)) = self.running.take() {
            plan.extensions.retain(|node| node.is_storage || !self.extensions.is_as_written(node));
            let beside = self.listeners.sockets().rehearsal();
            let successors = plan.exporters.iter().map(|node| node.id.clone()).collect();
            let rehearsed = rehearse(plan, &beside).await;
            if let Err(error) = rehearsed {
                self.listeners.keep(self.extensions.sockets().chain([&sockets]));
                self.running = Some((running, sockets, blueprint));
                return Err(SwapError::Refused(error));
            }
            let outlets = running.hand_over(&successors, self.deadline).await;
            before = Some((outlets, blueprint));
        }
        let (outlets, blueprint) = before.map_or((Vec::new(), None), |(outlets, former)| (outlets, Some(former)));
        let Err(failed) = self.start(to, outlets).await else { return Ok(()) };
        let Some(former) = blueprint else { return Err(SwapError::Down(failed)) };
        tracing::error!("{failed}; going back to the configuration before");
        match self.start(former, Vec::new()).await {
            Ok(()) => Err(SwapError::RolledBack(failed)),
            Err(again) => {
                tracing::error!("{again}; nothing runs");
                Err(SwapError::Down(failed))
            }
        }
    }

    /// Opens everything of a plan: what stays of the graph before is taken over.
    async fn build(&mut self, mut plan: Plan, sockets: &Sockets, end: Instant) -> Result<Graph, BuildError> {
        // Destinations are brought back by the graph that has them; a build that failed may have brought others.
        self.around.ledger.part();
        self.around.budget.set_limit(plan.admission.limit_bytes());
        let extensions = std::mem::take(&mut plan.extensions);
        self.extensions.build(extensions, &self.around, &self.listeners, end).await?;
        let storages = Arc::new(self.extensions.storages());
        let ground = Ground { storages, sockets: sockets.clone(), queues: &mut self.queues };
        Graph::build(plan, &self.around, ground).await.inspect_err(|_| self.extensions.forget_built())
    }

    /// Builds and starts. `outlets` are the exporters that ran until now and are not in it: they end, here or when they
    /// have sent what they had.
    async fn start(&mut self, blueprint: Blueprint, outlets: Vec<Outlet>) -> Result<(), BuildError> {
        let plan = blueprint.plan();
        let ids = plan.extensions.iter().map(|node| node.id.clone()).collect();
        let (sockets, end) = (self.listeners.sockets(), Instant::now() + self.deadline);
        let built = self.build(plan, &sockets, end).await;
        let around = &self.around;
        let mut graph = match built {
            Ok(graph) => graph,
            Err(error) => {
                let finish = |outlet: Outlet| outlet.finish(Vec::new(), around.telemetry.clone(), self.deadline);
                futures_util::future::join_all(outlets.into_iter().map(finish)).await;
                return Err(error);
            }
        };
        let left = self.queues.settle(&mut graph, &around.telemetry);
        let mut names: BTreeSet<String> = graph.components().map(|(kind, id)| component_name(kind, id)).collect();
        // Before anything runs, so that no failure is overwritten.
        names.iter().for_each(|name| around.health.report(name, Status::Ok));
        for id in self.extensions.start() {
            around.health.report(&component_name(Kind::Extension, &id), Status::Ok);
        }
        self.running = Some((Running::start(graph), sockets, blueprint));
        self.finish(outlets, left);
        self.extensions.keep(&ids, end).await;
        names.extend(self.extensions.ids().map(|id| component_name(Kind::Extension, id)));
        if let Some((_, sockets, _)) = &self.running {
            self.listeners.keep(self.extensions.sockets().chain([sockets]));
        }
        for gone in std::mem::replace(&mut self.shown, names).difference(&self.shown) {
            self.around.health.forget(gone);
        }
        Ok(())
    }

    /// Sends what exporters that are gone still have, beside everything else.
    fn finish(&mut self, outlets: Vec<Outlet>, mut left: BTreeMap<ComponentId, Vec<Arc<SendingQueue>>>) {
        // Those of earlier reloads that have ended.
        while self.leaving.try_join_next().is_some() {}
        for outlet in outlets {
            let queues = left.remove(outlet.id()).unwrap_or_default();
            self.leaving.spawn(outlet.finish(queues, self.around.telemetry.clone(), self.deadline));
        }
        // Their exporter has ended in a reload that failed.
        left.values().flatten().for_each(|queue| queue.retire());
    }

    /// Returns when a component fails, or with `None` when every receiver has come to its end. Cancel-safe.
    pub async fn ended(&mut self) -> Option<RunError> {
        let running = async {
            match &mut self.running {
                Some((running, ..)) => running.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = running => ended,
            error = first_failure(self.extensions.tiers()) => Some(error),
        }
    }

    /// Stops everything in order, at the latest `deadline` after `asked`.
    pub async fn stop(mut self, asked: Instant) {
        let end = asked + self.deadline;
        self.around.health.stopping();
        // Whoever comes now is refused as soon as the receivers have stopped.
        self.listeners.close();
        if let Some((running, ..)) = self.running.take() {
            running.stop(end, self.deadline).await;
        }
        let leaving = async { while self.leaving.join_next().await.is_some() {} };
        if tokio::time::timeout_at(end, leaving).await.is_err() {
            self.leaving.shutdown().await;
        }
        self.queues.end();
        self.extensions.stop(end).await;
    }

    /// Runs until `drain` is given, a component fails or every receiver has come to its end, then stops in order.
    ///
    /// # Errors
    /// The first component that failed.
    pub async fn run(mut self, drain: Drain) -> Result<(), RunError> {
        let failure = tokio::select! {
            () = drain.requested() => None,
            ended = self.ended() => ended,
        };
        self.report(failure.as_ref());
        self.stop(Instant::now()).await;
        failure.map_or(Ok(()), Err)
    }

    /// Says why it stops.
    pub fn report(&self, failure: Option<&RunError>) {
        match failure {
            Some(error) => {
                let (kind, id) = error.component();
                self.around.health.report(&component_name(kind, id), Status::Permanent(error.to_string()));
                tracing::error!("{error}; stopping");
            }
            None => tracing::info!(deadline = ?self.deadline, "Stopping: finishing what was accepted."),
        }
    }
}
