//! A rehearsal: whether everything of a plan can be built, beside the graph that it shall replace.
//!
//! Promises: nothing of it runs or stays; the running graph does not notice it: it counts, logs and reports to nobody,
//! finds every storage empty, and takes nothing that only one can have.
//!
//! It finds what `plan` cannot know (a certificate that is missing, a port that another program has) before the running
//! graph is stopped. What changes between the rehearsal and the build, the way back is for.

use super::{BuildError, Surroundings, plan::Plan};
use crate::{
    component::{BoxError, BuildCx, Change, ComponentId, Kind, Planned, Storage, StorageProvider, Storages},
    delivery::{budget::Budget, ledger::Ledger},
    net::Sockets,
    telemetry::{Health, Telemetry},
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{any::Any, sync::Arc};
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};

/// Builds everything and drops it.
///
/// # Errors
/// The first component that cannot be built.
pub(super) async fn rehearse(plan: Plan, sockets: &Sockets) -> Result<(), BuildError> {
    build(plan, sockets).with_subscriber(NoSubscriber::default()).await
}

async fn build(plan: Plan, sockets: &Sockets) -> Result<(), BuildError> {
    let nobody = Surroundings {
        telemetry: Telemetry::default(),
        health: Health::default(),
        ledger: Ledger::default(),
        budget: Budget::new(plan.admission.limit_bytes()),
    };
    let mut storages = Storages::default();
    for node in plan.extensions.iter().filter(|node| node.is_storage) {
        storages.add(node.id.clone(), Arc::new(Blank));
    }
    let storages = Arc::new(storages);
    let cx = |kind, id: &ComponentId| nobody.cx(kind, id, sockets).with_storages(Arc::clone(&storages));
    // Everything is there at the same time, as in the graph.
    let mut built: Vec<Box<dyn Any + Send>> = Vec::new();
    for node in plan.extensions.into_iter().filter(|node| !node.is_storage) {
        let cx = cx(Kind::Extension, &node.id);
        built.push(Box::new(node.plan.build(&cx).await.map_err(failed(&cx))?));
    }
    for node in plan.exporters {
        let cx = cx(Kind::Exporter, &node.id);
        built.push(Box::new(node.plan.build(&cx).await.map_err(failed(&cx))?));
    }
    for node in plan.connectors {
        let cx = cx(Kind::Connector, &node.id);
        built.push(Box::new(node.plan.build(&cx).await.map_err(failed(&cx))?));
    }
    for pipeline in plan.pipelines {
        for (id, planned) in pipeline.processors {
            let cx = cx(Kind::Processor, &id).in_pipeline(&pipeline.id);
            match planned {
                Planned::TransformPlan(plan) => built.push(Box::new(plan.build(&cx).await.map_err(failed(&cx))?)),
                Planned::Stage(plan) => built.push(Box::new(plan.build(&cx).await.map_err(failed(&cx))?)),
                _ => {}
            }
        }
    }
    for node in plan.receivers {
        let cx = cx(Kind::Receiver, &node.id);
        built.push(Box::new(node.plan.build(&cx).await.map_err(failed(&cx))?));
    }
    Ok(())
}

fn failed(cx: &BuildCx) -> impl FnOnce(BoxError) -> BuildError {
    let (kind, id) = (cx.kind, cx.id.clone());
    move |source| BuildError { kind, id, source }
}

/// A storage that is empty and forgets.
struct Blank;

impl StorageProvider for Blank {
    fn open(&self, _: &str) -> Arc<dyn Storage> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Storage for Blank {
    async fn get(&self, _: &str) -> Result<Option<Bytes>, BoxError> {
        Ok(None)
    }

    async fn scan(&self, _: &str) -> Result<Vec<(String, Bytes)>, BoxError> {
        Ok(Vec::new())
    }

    async fn put(&self, _: Vec<Change>) -> Result<(), BoxError> {
        Ok(())
    }
}
