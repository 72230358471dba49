//! Pipelines: from their processors to what stands behind them.
//!
//! A pipeline is built from its end, so that a stage in its middle finds the rest of the pipeline behind it; pipelines
//! behind a router are built before it.

use super::{
    BuildError, Surroundings,
    disk::Disk,
    kept::Queues,
    plan::{PipelineNode, RouterNode},
};
use crate::{
    component::{BuildCx, BuiltTransform, ComponentId, Consumer, Drain, Kind, PipelineId, Planned, Stage},
    delivery::{
        attempts::Destination,
        direct::DirectSender,
        intake::PipelineIntake,
        ledger::PipelineAccount,
        pipeline::{Output, Pipeline, Step},
        queue::SendingQueue,
        routing::Fork,
        sender::Sender,
    },
    event::Signal,
};
use std::{collections::BTreeMap, sync::Arc};

/// A stage and what it emits to.
pub(super) struct BuiltStage {
    pub kind: Kind,
    pub id: ComponentId,
    pub stage: Arc<dyn Stage>,
    pub out: Consumer,
}

/// Makes queues, outputs and pipelines.
pub(super) struct Wiring<'a> {
    pub around: &'a Surroundings,
    pub closed: Drain,
    pub destinations: &'a BTreeMap<ComponentId, Arc<Destination>>,
    pub connectors: &'a BTreeMap<ComponentId, Arc<dyn Stage>>,
    pub disk: Option<Disk>,
    pub kept: &'a mut Queues,
    pub queues: BTreeMap<(ComponentId, Signal), Arc<SendingQueue>>,
    pub direct: BTreeMap<(ComponentId, Signal), Arc<DirectSender>>,
    pub senders: Vec<Sender>,
    pub routers: &'a BTreeMap<ComponentId, RouterNode>,
    /// The pipelines built so far: those behind a router before those in front of it.
    pub heads: BTreeMap<PipelineId, Arc<Pipeline>>,
    /// Stages in the middle of pipelines.
    pub inner_stages: BTreeMap<PipelineId, Vec<BuiltStage>>,
    pub transforms: Vec<(ComponentId, Arc<dyn BuiltTransform>)>,
}

impl Wiring<'_> {
    /// Builds a pipeline from its end, so that a stage in the middle finds the rest of the pipeline behind it.
    pub async fn pipeline(
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
        account: &PipelineAccount,
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
        let queue = match self.queues.get(&key) {
            Some(queue) => Arc::clone(queue),
            None => {
                let config = &destination.delivery.sending_queue;
                let queue = self.kept.queue(&key, config, self.disk.as_ref(), self.around)?;
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
