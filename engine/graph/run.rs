//! Building and running a planned graph.
//!
//! Promises: nothing runs before everything is built; built and started in the Collector's order (extensions,
//! exporters, connectors and stages, receivers last) and stopped in the reverse one (receivers first, each stage
//! after all that feed it, senders until their queues are empty or the deadline is over, exporters, extensions);
//! a component that fails or panics stops the graph in that same order, and so does the end of the last receiver.

use super::{
    order::{Station, in_order},
    plan::{ConnectorNode, ExporterNode, PipelineNode, Plan, RouterNode},
};
use crate::{
    component::{
        BoxError, BuildCx, BuiltTransform, ComponentId, Consumer, Drain, Extension, Kind, PipelineId, Planned,
        Receiver, Stage, Storages,
    },
    config::{OnFull, QueueConfig},
    delivery::{
        attempts::Destination,
        budget::Budget,
        complaints::{SinkHealth, component_name},
        direct::DirectSender,
        durable::DurableQueue,
        entry::QueueName,
        intake::PipelineIntake,
        ledger::Ledger,
        pipeline::{Output, Pipeline, Step},
        queue::SendingQueue,
        routing::Fork,
        sender::Sender,
        shedding::Shedding,
    },
    event::Signal,
    telemetry::{Health, Status, Telemetry},
};
use lanner_queue::{BadOptions, Log, Policy, QueueOptions};
use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// What a graph is built with.
#[derive(Clone)]
pub struct Surroundings {
    pub telemetry: Telemetry,
    pub health: Health,
    pub ledger: Ledger,
    pub budget: Budget,
}

/// A component that could not be built.
#[derive(Debug, thiserror::Error)]
#[error("failed to start \"{id}\" {kind}: {source}")]
pub struct BuildError {
    pub kind: Kind,
    pub id: ComponentId,
    pub source: BoxError,
}

/// A component that ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{kind} \"{id}\" stopped: {source}")]
    Failed { kind: Kind, id: ComponentId, source: BoxError },
    #[error("{kind} \"{id}\" panicked: {message}")]
    Panicked { kind: Kind, id: ComponentId, message: String },
}

impl RunError {
    /// The component that failed.
    pub fn component(&self) -> (Kind, &ComponentId) {
        match self {
            Self::Failed { kind, id, .. } | Self::Panicked { kind, id, .. } => (*kind, id),
        }
    }
}

/// A graph in which everything is open and nothing runs.
pub struct Graph {
    extensions: Vec<(ComponentId, Box<dyn Extension>)>,
    destinations: BTreeMap<ComponentId, Arc<Destination>>,
    senders: Vec<Sender>,
    /// Transforms that do something on their own beside.
    transforms: Vec<(ComponentId, Arc<dyn BuiltTransform>)>,
    /// Feeders before those they feed.
    stages: Vec<BuiltStage>,
    receivers: Vec<(ComponentId, Box<dyn Receiver>, Consumer)>,
    closed: Drain,
    health: Health,
}

struct BuiltStage {
    kind: Kind,
    id: ComponentId,
    stage: Arc<dyn Stage>,
    out: Consumer,
}

impl Graph {
    /// Opens everything a plan needs.
    ///
    /// # Errors
    /// The first component that cannot be built; what was built before it is closed again.
    pub async fn build(plan: Plan, around: &Surroundings) -> Result<Self, BuildError> {
        let Plan { receivers, connectors, routers, exporters, extensions, mut pipelines, .. } = plan;
        let bare =
            |kind, id: &ComponentId| BuildCx::new(kind, id.clone(), around.telemetry.clone(), around.health.clone());
        let failed = |kind, id: &ComponentId| {
            let id = id.clone();
            move |source| BuildError { kind, id, source }
        };
        let (mut built_extensions, mut storages) = (Vec::new(), Storages::default());
        for node in extensions {
            let cx = bare(Kind::Extension, &node.id);
            let built = node.plan.build(&cx).await.map_err(failed(Kind::Extension, &node.id))?;
            if let Some(storage) = built.storage() {
                storages.add(node.id.clone(), storage);
            }
            built_extensions.push((node.id, built));
        }
        let disk = Disk::open(&exporters, &storages).await?;
        let storages = Arc::new(storages);
        let cx = |kind, id: &ComponentId| bare(kind, id).with_storages(Arc::clone(&storages));
        let mut destinations = BTreeMap::new();
        for node in exporters {
            let exporter =
                node.plan.build(&cx(Kind::Exporter, &node.id)).await.map_err(failed(Kind::Exporter, &node.id))?;
            let (id, health) = (node.id.clone(), SinkHealth::new(around.health.clone(), &node.id));
            let destination = Destination { id, exporter: exporter.into(), delivery: node.delivery, health };
            destinations.insert(node.id, Arc::new(destination));
        }
        let mut built_connectors = BTreeMap::new();
        for ConnectorNode { id, plan, .. } in connectors {
            let stage: Arc<dyn Stage> =
                plan.build(&cx(Kind::Connector, &id)).await.map_err(failed(Kind::Connector, &id))?.into();
            built_connectors.insert(id, stage);
        }
        let routers: BTreeMap<ComponentId, RouterNode> =
            routers.into_iter().map(|node| (node.id.clone(), node)).collect();
        let connector_ids: Vec<&ComponentId> = built_connectors.keys().chain(routers.keys()).collect();
        let order = in_order(&pipelines, &connector_ids);
        let mut wiring = Wiring {
            around,
            closed: Drain::new(),
            destinations: &destinations,
            connectors: &built_connectors,
            disk,
            routers: &routers,
            heads: BTreeMap::new(),
            queues: BTreeMap::new(),
            direct: BTreeMap::new(),
            senders: Vec::new(),
            inner_stages: BTreeMap::new(),
            transforms: Vec::new(),
        };
        for station in order.iter().rev() {
            let Station::Pipeline(index) = station else { continue };
            let processors = std::mem::take(&mut pipelines[*index].processors);
            wiring.pipeline(&pipelines[*index], processors, &cx).await?;
        }
        let Wiring { closed, senders, heads, mut inner_stages, transforms, .. } = wiring;
        let consumer = |kind, id: &ComponentId, telemetry| {
            let fed: Vec<_> = pipelines
                .iter()
                .filter(|node| node.receivers.contains(id))
                .filter_map(|node| Some((node.id.signal, Arc::clone(heads.get(&node.id)?))))
                .collect();
            Consumer::new(PipelineIntake::new(kind, id.clone(), fed, around.budget.clone(), closed.clone(), telemetry))
        };
        let mut stages = Vec::new();
        for station in &order {
            match station {
                Station::Pipeline(index) => {
                    stages.extend(inner_stages.remove(&pipelines[*index].id).unwrap_or_default());
                }
                Station::Connector(id) => {
                    // A router has nothing to run.
                    let Some(stage) = built_connectors.get(id) else { continue };
                    let out = consumer(Kind::Connector, id, &around.telemetry);
                    let (id, stage) = ((*id).clone(), Arc::clone(stage));
                    stages.push(BuiltStage { kind: Kind::Connector, id, stage, out });
                }
            }
        }
        let mut built_receivers = Vec::new();
        for node in receivers {
            let receiver =
                node.plan.build(&cx(Kind::Receiver, &node.id)).await.map_err(failed(Kind::Receiver, &node.id))?;
            let out = consumer(Kind::Receiver, &node.id, &around.telemetry);
            built_receivers.push((node.id, receiver, out));
        }
        Ok(Self {
            extensions: built_extensions,
            destinations,
            senders,
            transforms,
            stages,
            receivers: built_receivers,
            closed,
            health: around.health.clone(),
        })
    }

    /// What will run.
    fn components(&self) -> impl Iterator<Item = (Kind, &ComponentId)> {
        let extensions = self.extensions.iter().map(|(id, _)| (Kind::Extension, id));
        let exporters = self.destinations.keys().map(|id| (Kind::Exporter, id));
        let transforms = self.transforms.iter().map(|(id, _)| (Kind::Processor, id));
        let stages = self.stages.iter().map(|stage| (stage.kind, &stage.id));
        let receivers = self.receivers.iter().map(|(id, ..)| (Kind::Receiver, id));
        extensions.chain(exporters).chain(transforms).chain(stages).chain(receivers)
    }

    /// Runs until `drain` is given, a component fails or every receiver has come to its end, then stops in order.
    /// Everything has stopped when this returns, at the latest `deadline` after the drain began.
    ///
    /// # Errors
    /// The first component that failed.
    pub async fn run(self, drain: Drain, deadline: Duration) -> Result<(), RunError> {
        // Before anything runs, so that no failure is overwritten.
        for (kind, id) in self.components() {
            self.health.report(&component_name(kind, id), Status::Ok);
        }
        let mut extensions = Tier::default();
        for (id, extension) in self.extensions {
            let drain = extensions.drain.clone();
            extensions.spawn(Kind::Extension, id, async move { extension.run(drain).await });
        }
        let mut exporters = Tier::default();
        for (id, destination) in self.destinations {
            let drain = exporters.drain.clone();
            exporters.spawn(Kind::Exporter, id, async move { destination.exporter.run(drain).await });
        }
        let (mut senders, over) = (Tier::default(), Drain::new());
        for sender in self.senders {
            let (id, drain, over) = (sender.id().clone(), senders.drain.clone(), over.clone());
            senders.spawn(Kind::Exporter, id, sender.run(drain, over));
        }
        let mut transforms = Tier::default();
        for (id, transform) in self.transforms {
            let drain = transforms.drain.clone();
            transforms.spawn(Kind::Processor, id, async move { transform.run(drain).await });
        }
        let mut stages = Vec::new();
        for BuiltStage { kind, id, stage, out } in self.stages {
            let mut tier = Tier::default();
            let drain = tier.drain.clone();
            tier.spawn(kind, id, async move { stage.run(out, drain).await });
            stages.push(tier);
        }
        let mut receivers = Tier::default();
        for (id, receiver, out) in self.receivers {
            let drain = receivers.drain.clone();
            receivers.spawn(Kind::Receiver, id, async move { receiver.run(out, drain).await });
        }
        self.health.ready();
        tracing::info!("Everything is ready. Begin running and processing data.");

        let mut failure = None;
        tokio::select! {
            () = drain.requested() => {}
            ended = receivers.ended() => {
                if ended.is_none() {
                    tracing::info!("Every receiver has come to its end.");
                }
                failure = ended;
            }
            error = first_failure(&mut stages) => failure = Some(error),
            error = transforms.failed() => failure = Some(error),
            error = senders.failed() => failure = Some(error),
            error = exporters.failed() => failure = Some(error),
            error = extensions.failed() => failure = Some(error),
        }

        self.health.stopping();
        if let Some(error) = &failure {
            let (kind, id) = error.component();
            self.health.report(&component_name(kind, id), Status::Permanent(error.to_string()));
            tracing::error!("{error}; stopping");
        } else {
            tracing::info!(deadline = ?deadline, "Stopping: finishing what was accepted.");
        }
        let end = tokio::time::Instant::now() + deadline;
        // A share of the time is kept for each later step, so that one slow step does not use up all of it.
        let step = |share: f64| end - deadline.mul_f64(1.0 - share);
        receivers.stop(step(0.3)).await;
        for mut stage in stages {
            stage.stop(step(0.5)).await;
        }
        transforms.stop(step(0.5)).await;
        self.closed.request();
        senders.drain.request();
        if !senders.ended_by(step(0.9)).await {
            over.request();
        }
        senders.stop(end).await;
        exporters.stop(end).await;
        extensions.stop(end).await;
        failure.map_or(Ok(()), Err)
    }
}

/// The log of all queues on disk.
struct Disk {
    log: Log,
    /// Tells what this graph has accepted from what it finds.
    run: u64,
    /// The queues that give way when the log is full.
    shedding: Shedding,
}

impl Disk {
    /// Opens the log that exporters name, if any does; the plan has seen to it that all name the same.
    async fn open(exporters: &[ExporterNode], storages: &Storages) -> Result<Option<Self>, BuildError> {
        let named = exporters.iter().find_map(|node| {
            let queue = &node.delivery.sending_queue;
            let storage = queue.storage.as_ref().filter(|_| queue.enabled != Some(false))?;
            Some((&node.id, storages.get(storage)?))
        });
        let Some((id, provider)) = named else { return Ok(None) };
        let failed = |source| BuildError { kind: Kind::Exporter, id: id.clone(), source };
        let log = provider.queues().await.map_err(failed)?;
        Ok(Some(Self { log, run: fastrand::u64(..), shedding: Shedding::default() }))
    }

    /// The queue of an exporter and a signal.
    fn queue(&self, id: &ComponentId, signal: Signal, config: &QueueConfig) -> Result<DurableQueue, BuildError> {
        let policy = match config.on_full {
            // What gives way is chosen by the engine, which knows the items.
            OnFull::Hold | OnFull::DropOldest => Policy::Hold,
            OnFull::Reject => Policy::Reject,
        };
        let name = QueueName::of(id, signal);
        let queue = |name: QueueName, options| {
            let failed = |error: BadOptions| BuildError { kind: Kind::Exporter, id: id.clone(), source: error.into() };
            self.log.queue(&name.to_string(), options).map_err(failed)
        };
        let living = queue(name.clone(), QueueOptions { policy, ..QueueOptions::default() })?;
        let durable = DurableQueue::new(self.log.clone(), living, self.run).with_shedding(self.shedding.clone());
        let max_bytes = config.dead_letters.max_size_mib << 20;
        if max_bytes == 0 {
            return Ok(durable);
        }
        let options = QueueOptions { policy: Policy::DropOldest, max_bytes, ..QueueOptions::default() };
        Ok(durable.with_dead_letters(queue(name.dead_letters(), options)?))
    }
}

/// Makes queues, outputs and pipelines.
struct Wiring<'a> {
    around: &'a Surroundings,
    closed: Drain,
    destinations: &'a BTreeMap<ComponentId, Arc<Destination>>,
    connectors: &'a BTreeMap<ComponentId, Arc<dyn Stage>>,
    disk: Option<Disk>,
    queues: BTreeMap<(ComponentId, Signal), Arc<SendingQueue>>,
    direct: BTreeMap<(ComponentId, Signal), Arc<DirectSender>>,
    senders: Vec<Sender>,
    routers: &'a BTreeMap<ComponentId, RouterNode>,
    /// The pipelines built so far: those behind a router before those in front of it.
    heads: BTreeMap<PipelineId, Arc<Pipeline>>,
    /// Stages in the middle of pipelines.
    inner_stages: BTreeMap<PipelineId, Vec<BuiltStage>>,
    transforms: Vec<(ComponentId, Arc<dyn BuiltTransform>)>,
}

impl Wiring<'_> {
    /// Builds a pipeline from its end, so that a stage in the middle finds the rest of the pipeline behind it.
    async fn pipeline(
        &mut self,
        node: &PipelineNode,
        processors: Vec<(ComponentId, Planned)>,
        cx: &impl Fn(Kind, &ComponentId) -> BuildCx,
    ) -> Result<(), BuildError> {
        let telemetry = self.around.telemetry.clone();
        let signal = node.id.signal;
        // In order; each later one is fed by the stage in front of it.
        let mut segments = vec![Segment::default()];
        for (id, planned) in processors {
            match planned {
                Planned::Transform(transform) => {
                    let step = Step::new(id, node.id.as_str(), signal.as_str(), transform, &telemetry);
                    if let Some(last) = segments.last_mut() {
                        last.steps.push(step);
                    }
                }
                Planned::TransformPlan(plan) => {
                    let failed = |source| BuildError { kind: Kind::Processor, id: id.clone(), source };
                    let built = plan.build(&cx(Kind::Processor, &id).in_pipeline(&node.id)).await.map_err(failed)?;
                    let built: Arc<dyn BuiltTransform> = built.into();
                    self.transforms.push((id.clone(), Arc::clone(&built)));
                    let step = Step::new(id, node.id.as_str(), signal.as_str(), built, &telemetry);
                    if let Some(last) = segments.last_mut() {
                        last.steps.push(step);
                    }
                }
                Planned::Stage(plan) => {
                    let failed = |source| BuildError { kind: Kind::Processor, id: id.clone(), source };
                    let stage = plan.build(&cx(Kind::Processor, &id).in_pipeline(&node.id)).await.map_err(failed)?;
                    segments.push(Segment { steps: Vec::new(), fed_by: Some((id, stage.into())) });
                }
                // The registry gives processors as transforms or stages only.
                Planned::Receiver(_) | Planned::Router(_) | Planned::Exporter { .. } | Planned::Extension(_) => {}
            }
        }
        let mut behind: Option<Arc<Pipeline>> = None;
        let mut stages = Vec::new();
        let mut feeding: Option<NamedStage> = None;
        for Segment { steps, fed_by } in segments.into_iter().rev() {
            let name = match &fed_by {
                Some((id, _)) => format!("{} after {id}", node.id),
                None => node.id.to_string(),
            };
            let account = self.around.ledger.pipeline(&telemetry, &name);
            let outputs = match feeding.take() {
                Some((id, stage)) => vec![Output::Stage { stage, account: account.destination(id.as_str()) }],
                None => {
                    let outputs = node.exporters.iter().map(|id| self.output(id, signal, &account));
                    outputs.filter_map(Result::transpose).collect::<Result<_, _>>()?
                }
            };
            let pipeline = Arc::new(Pipeline { account, steps, outputs });
            if let Some((id, stage)) = fed_by {
                let fed = vec![(signal, Arc::clone(&pipeline))];
                let (budget, closed) = (self.around.budget.clone(), self.closed.clone());
                let intake = PipelineIntake::new(Kind::Processor, id.clone(), fed, budget, closed, &telemetry);
                let out = Consumer::new(intake);
                stages.push(BuiltStage { kind: Kind::Processor, id: id.clone(), stage: Arc::clone(&stage), out });
                feeding = Some((id, stage));
            }
            behind = Some(pipeline);
        }
        stages.reverse();
        self.inner_stages.insert(node.id.clone(), stages);
        // There is always at least the one segment that the list starts with.
        self.heads.extend(behind.map(|head| (node.id.clone(), head)));
        Ok(())
    }

    fn output(
        &mut self,
        id: &ComponentId,
        signal: Signal,
        account: &crate::delivery::ledger::PipelineAccount,
    ) -> Result<Option<Output>, BuildError> {
        let telemetry = &self.around.telemetry;
        if let Some(stage) = self.connectors.get(id) {
            return Ok(Some(Output::Stage { stage: Arc::clone(stage), account: account.destination(id.as_str()) }));
        }
        if let Some(node) = self.routers.get(id) {
            let built = |id: &PipelineId| Some((id.signal, Arc::clone(self.heads.get(id)?)));
            let pipelines = node.pipelines.iter().map(built).collect::<Option<Vec<_>>>();
            let (router, account) = (Arc::clone(&node.router), account.destination(id.as_str()));
            return Ok(pipelines.map(|pipelines| Output::Router(Fork { router, pipelines, account })));
        }
        let Some(destination) = self.destinations.get(id) else { return Ok(None) };
        let account = account.destination(id.as_str());
        let key = (id.clone(), signal);
        if destination.delivery.sending_queue.enabled == Some(false) {
            let sender = self
                .direct
                .entry(key)
                .or_insert_with(|| Arc::new(DirectSender::new(Arc::clone(destination), signal, telemetry)));
            return Ok(Some(Output::Direct { sender: Arc::clone(sender), account }));
        }
        let (config, budget) = (&destination.delivery.sending_queue, &self.around.budget);
        let queue = match self.queues.get(&key) {
            Some(queue) => Arc::clone(queue),
            None => {
                let queue = match self.disk.as_ref().filter(|_| config.storage.is_some()) {
                    Some(disk) => {
                        let books = (budget.clone(), &self.around.ledger, telemetry);
                        SendingQueue::on_disk(id.as_str(), signal, config, disk.queue(id, signal, config)?, books)
                    }
                    None => SendingQueue::new(id.as_str(), signal, config, budget.clone(), telemetry),
                };
                self.senders.push(Sender::new(Arc::clone(&queue), Arc::clone(destination), telemetry));
                self.queues.insert(key, Arc::clone(&queue));
                queue
            }
        };
        queue.feeds(&account);
        Ok(Some(Output::Queue { queue, account }))
    }
}

/// A part of a pipeline without stateful processors.
#[derive(Default)]
struct Segment {
    steps: Vec<Step>,
    fed_by: Option<NamedStage>,
}

type NamedStage = (ComponentId, Arc<dyn Stage>);

/// Tasks that stop together.
#[derive(Default)]
struct Tier {
    drain: Drain,
    tasks: JoinSet<()>,
    names: BTreeMap<tokio::task::Id, (Kind, ComponentId)>,
    failures: Failures,
}

type Failures = Arc<parking_lot::Mutex<Vec<RunError>>>;

impl Tier {
    fn spawn(&mut self, kind: Kind, id: ComponentId, run: impl Future<Output = Result<(), BoxError>> + Send + 'static) {
        let (failures, name) = (Arc::clone(&self.failures), id.clone());
        let handle = self.tasks.spawn(async move {
            if let Err(source) = run.await {
                failures.lock().push(RunError::Failed { kind, id: name, source });
            }
        });
        self.names.insert(handle.id(), (kind, id));
    }

    /// Returns when a task fails. Tasks that end without an error, as a finite receiver does, are no failure.
    async fn failed(&mut self) -> RunError {
        match self.ended().await {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// Returns when a task fails, or with `None` when all have ended without an error. Where there is no task, nothing
    /// ends.
    async fn ended(&mut self) -> Option<RunError> {
        if self.tasks.is_empty() {
            std::future::pending().await
        }
        while let Some(ended) = self.tasks.join_next_with_id().await {
            if let Some(error) = self.note(ended) {
                return Some(error);
            }
        }
        None
    }

    fn note(&mut self, ended: Result<(tokio::task::Id, ()), tokio::task::JoinError>) -> Option<RunError> {
        match ended {
            Ok(_) => self.failures.lock().pop(),
            Err(error) if error.is_panic() => {
                let (kind, id) = self.names.get(&error.id()).cloned()?;
                let panic = error.into_panic();
                let message = panic
                    .downcast_ref::<&str>()
                    .map(|text| (*text).to_owned())
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_default();
                Some(RunError::Panicked { kind, id, message })
            }
            Err(_) => None,
        }
    }

    /// Waits for all tasks; false when `end` came first.
    async fn ended_by(&mut self, end: tokio::time::Instant) -> bool {
        tokio::time::timeout_at(end, async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                if let Some(error) = self.note(ended) {
                    tracing::error!("{error}");
                }
            }
        })
        .await
        .is_ok()
    }

    /// Asks all tasks to stop, and ends those that have not by `end`.
    async fn stop(&mut self, end: tokio::time::Instant) {
        self.drain.request();
        if !self.ended_by(end).await {
            for (kind, id) in self.names.values() {
                tracing::warn!("{kind} \"{id}\" may not have stopped in time");
            }
            self.tasks.shutdown().await;
        }
    }
}

async fn first_failure(tiers: &mut [Tier]) -> RunError {
    use futures_util::{StreamExt, stream::FuturesUnordered};
    let mut failures: FuturesUnordered<_> = tiers.iter_mut().map(Tier::failed).collect();
    match failures.next().await {
        Some(error) => error,
        None => std::future::pending().await,
    }
}
