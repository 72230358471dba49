//! Building a planned graph: everything is opened, nothing runs.

use super::{
    disk::Disk,
    kept::Ground,
    order::{Station, in_order},
    plan::{ConnectorNode, Plan, RouterNode},
    wiring::{BuiltStage, Wiring},
};
use crate::{
    component::{BoxError, BuildCx, BuiltTransform, ComponentId, Consumer, Drain, Kind, Receiver, Stage},
    delivery::{
        attempts::Destination, budget::Budget, complaints::SinkHealth, intake::PipelineIntake, ledger::Ledger,
        sender::Sender,
    },
    net::Sockets,
    telemetry::{Health, Telemetry},
};
use std::{collections::BTreeMap, sync::Arc};

/// What a graph is built with.
#[derive(Clone)]
pub struct Surroundings {
    pub telemetry: Telemetry,
    pub health: Health,
    pub ledger: Ledger,
    pub budget: Budget,
}

impl Surroundings {
    /// What a component is built with.
    pub(super) fn cx(&self, kind: Kind, id: &ComponentId, sockets: &Sockets) -> BuildCx {
        BuildCx::new(kind, id.clone(), self.telemetry.clone(), self.health.clone()).with_sockets(sockets.clone())
    }
}

/// A component that could not be built.
#[derive(Debug, thiserror::Error)]
#[error("failed to start \"{id}\" {kind}: {source}")]
pub struct BuildError {
    pub kind: Kind,
    pub id: ComponentId,
    pub source: BoxError,
}

/// A graph in which everything is open and nothing runs.
pub(super) struct Graph {
    pub destinations: BTreeMap<ComponentId, Arc<Destination>>,
    pub senders: Vec<Sender>,
    /// Transforms that do something on their own beside.
    pub transforms: Vec<(ComponentId, Arc<dyn BuiltTransform>)>,
    /// Feeders before those they feed.
    pub stages: Vec<BuiltStage>,
    pub receivers: Vec<(ComponentId, Box<dyn Receiver>, Consumer)>,
    /// Given once nothing new may be taken.
    pub closed: Drain,
}

impl Graph {
    /// Opens everything a plan needs but its extensions.
    ///
    /// # Errors
    /// The first component that cannot be built; what was built before it is closed again.
    pub async fn build(plan: Plan, around: &Surroundings, ground: Ground<'_>) -> Result<Self, BuildError> {
        let Plan { receivers, connectors, routers, exporters, mut pipelines, .. } = plan;
        let Ground { storages, sockets, queues } = ground;
        let cx = |kind, id: &ComponentId| around.cx(kind, id, &sockets).with_storages(Arc::clone(&storages));
        let failed = |kind, id: &ComponentId| {
            let id = id.clone();
            move |source| BuildError { kind, id, source }
        };
        let disk = Disk::open(&exporters, &storages).await?;
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
            kept: queues,
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
        Ok(Self { destinations, senders, transforms, stages, receivers: built_receivers, closed })
    }

    /// What will run.
    pub fn components(&self) -> impl Iterator<Item = (Kind, &ComponentId)> {
        let exporters = self.destinations.keys().map(|id| (Kind::Exporter, id));
        let transforms = self.transforms.iter().map(|(id, _)| (Kind::Processor, id));
        let stages = self.stages.iter().map(|stage| (stage.kind, &stage.id));
        let receivers = self.receivers.iter().map(|(id, ..)| (Kind::Receiver, id));
        exporters.chain(transforms).chain(stages).chain(receivers)
    }
}
