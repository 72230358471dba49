//! `Running`: the tasks of a graph, and the two ways in which they stop.
//!
//! Promises: started in the Collector's order (exporters, connectors and stages, receivers last) and stopped in the reverse
//! one, receivers first, each stage after all that feed it.
//!
//! **For good**: senders go on until their queues are empty or the deadline is over, then exporters end.
//!
//! **For a successor**: senders begin nothing more, give what they have not delivered back to their queues, and those
//! exporters end that the successor has too, so that two never share a state. An attempt that is in flight has
//! [`HAND_OVER`] to end; what then comes of it is not known, so it is made again. Exporters that the successor does not have
//! stay, without senders, for the one who must see to the end of their queues ([`Outlet::finish`]).

use super::{
    build::Graph,
    tier::{RunError, Tier, first_failure},
    wiring::BuiltStage,
};
use crate::{
    component::{ComponentId, Drain, Kind},
    delivery::{attempts::Destination, queue::SendingQueue, sender::Sender},
    telemetry::Telemetry,
};
use futures_util::future::join_all;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// How long an attempt in flight may take when its exporter is replaced; meanwhile nothing is accepted.
const HAND_OVER: Duration = Duration::from_secs(2);
/// After that, how long tasks may take to notice.
const GRACE: Duration = Duration::from_secs(1);

/// A running graph.
pub(super) struct Running {
    receivers: Tier,
    stages: Vec<Tier>,
    transforms: Tier,
    outlets: Vec<Outlet>,
    closed: Drain,
}

/// A running exporter with its senders.
pub(super) struct Outlet {
    destination: Arc<Destination>,
    exporter: Tier,
    senders: Tier,
    leave: Vec<Drain>,
    over: Drain,
}

impl Running {
    /// Starts everything.
    pub fn start(graph: Graph) -> Self {
        let Graph { destinations, senders, transforms, stages, receivers, closed } = graph;
        let mut outlets: BTreeMap<ComponentId, Outlet> =
            destinations.into_iter().map(|(id, destination)| (id, Outlet::start(destination))).collect();
        for sender in senders {
            if let Some(outlet) = outlets.get_mut(sender.id()) {
                outlet.send(sender);
            }
        }
        let mut transform_tier = Tier::default();
        for (id, transform) in transforms {
            let drain = transform_tier.drain.clone();
            transform_tier.spawn(Kind::Processor, id, async move { transform.run(drain).await });
        }
        let stages = stages.into_iter().map(|BuiltStage { kind, id, stage, out }| {
            let mut tier = Tier::default();
            let drain = tier.drain.clone();
            tier.spawn(kind, id, async move { stage.run(out, drain).await });
            tier
        });
        let stages = stages.collect();
        let mut receiver_tier = Tier::default();
        for (id, receiver, out) in receivers {
            let drain = receiver_tier.drain.clone();
            receiver_tier.spawn(Kind::Receiver, id, async move { receiver.run(out, drain).await });
        }
        let outlets = outlets.into_values().collect();
        Self { receivers: receiver_tier, stages, transforms: transform_tier, outlets, closed }
    }

    /// Returns when a component fails, or with `None` when every receiver has come to its end. Cancel-safe.
    pub async fn ended(&mut self) -> Option<RunError> {
        let beside = self.stages.iter_mut().chain([&mut self.transforms]);
        let outlets = self.outlets.iter_mut().flat_map(|outlet| [&mut outlet.exporter, &mut outlet.senders]);
        tokio::select! {
            ended = self.receivers.ended() => ended,
            error = first_failure(beside.chain(outlets)) => Some(error),
        }
    }

    /// Stops for good, `end` being `deadline` after it was asked for.
    pub async fn stop(mut self, end: Instant, deadline: Duration) {
        // A share of the time is kept for each later step, so that one slow step does not use up all of it.
        let step = |share: f64| end - deadline.mul_f64(1.0 - share);
        self.receivers.drain.request();
        self.stop_intake(step(0.3), step(0.5)).await;
        join_all(self.outlets.into_iter().map(|outlet| outlet.stop(step(0.9), end))).await;
    }

    /// Stops for a successor that has the exporters `successors`. Those that it does not have are given back, running.
    pub async fn hand_over(mut self, successors: &BTreeSet<ComponentId>, deadline: Duration) -> Vec<Outlet> {
        let now = Instant::now();
        self.receivers.drain.request_for_successor();
        self.stop_intake(now + deadline.mul_f64(0.3), now + deadline.mul_f64(0.5)).await;
        let outlets = join_all(self.outlets.into_iter().map(|outlet| outlet.leave(successors))).await;
        outlets.into_iter().flatten().collect()
    }

    async fn stop_intake(&mut self, receivers: Instant, stages: Instant) {
        self.receivers.stop(receivers).await;
        for stage in &mut self.stages {
            stage.stop(stages).await;
        }
        self.transforms.stop(stages).await;
        self.closed.request();
    }
}

impl Outlet {
    fn start(destination: Arc<Destination>) -> Self {
        let mut exporter = Tier::default();
        let (of_task, drain) = (Arc::clone(&destination), exporter.drain.clone());
        exporter.spawn(Kind::Exporter, destination.id.clone(), async move { of_task.exporter.run(drain).await });
        Self { destination, exporter, senders: Tier::default(), leave: Vec::new(), over: Drain::new() }
    }

    fn send(&mut self, sender: Sender) {
        self.leave.push(sender.leave());
        let (drain, over) = (self.senders.drain.clone(), self.over.clone());
        self.senders.spawn(Kind::Exporter, self.destination.id.clone(), sender.run(drain, over));
    }

    /// Whose it is.
    pub fn id(&self) -> &ComponentId {
        &self.destination.id
    }

    /// Sends until the queues are empty, at the latest until `last`, and ends by `end`.
    async fn stop(mut self, last: Instant, end: Instant) {
        self.senders.drain.request();
        if !self.senders.ended_by(last).await {
            self.over.request();
        }
        self.senders.stop(end).await;
        self.exporter.stop(end).await;
    }

    async fn leave(mut self, successors: &BTreeSet<ComponentId>) -> Option<Self> {
        self.leave.iter().for_each(Drain::request);
        if !self.senders.ended_by(Instant::now() + HAND_OVER).await {
            self.over.request();
        }
        self.senders.stop(Instant::now() + GRACE).await;
        if successors.contains(self.id()) {
            self.exporter.stop(Instant::now() + GRACE).await;
            return None;
        }
        Some(self)
    }

    /// Sends what is left in these queues, which nobody else has, and ends within `deadline`.
    pub async fn finish(self, queues: Vec<Arc<SendingQueue>>, telemetry: Telemetry, deadline: Duration) {
        let end = Instant::now() + deadline;
        let mut last = Self { senders: Tier::default(), leave: Vec::new(), over: Drain::new(), ..self };
        for queue in queues {
            last.send(Sender::new(queue, Arc::clone(&last.destination), &telemetry));
        }
        last.stop(end - deadline.mul_f64(0.1), end).await;
    }
}
