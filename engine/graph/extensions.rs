//! The extensions of a process, over the graphs that reloads build.
//!
//! Promises: one that is written as before is not touched; a storage is opened once and stays open until the end, also
//! when nothing names it any more, because its lock and its log must not be given up and taken again; a storage that is
//! written otherwise is refused before anything was touched.

use super::{BuildError, Surroundings, plan::ExtensionNode, tier::Tier};
use crate::{
    component::{ComponentId, Extension, Kind, StorageProvider, Storages},
    config::Node,
    net::{Listeners, Sockets},
};
use std::{collections::BTreeSet, sync::Arc};
use tokio::time::Instant;

/// In the order in which they were started.
#[derive(Default)]
pub(super) struct Extensions(Vec<Kept>);

struct Kept {
    id: ComponentId,
    body: Node,
    storage: Option<Arc<dyn StorageProvider>>,
    sockets: Sockets,
    state: State,
}

enum State {
    Built(Box<dyn Extension>),
    Running(Tier),
}

/// A storage that a reload would have to close first.
#[derive(Debug, thiserror::Error)]
#[error("its settings have changed, and a storage stays as it is while the process runs; restart to apply them")]
struct StorageChanged;

impl Extensions {
    /// Whether it is there, and written as it was.
    pub fn is_as_written(&self, node: &ExtensionNode) -> bool {
        self.0.iter().any(|kept| kept.id == node.id && kept.body.says_the_same(&node.body))
    }

    /// Refuses what cannot be done while others run.
    ///
    /// # Errors
    /// A storage is written otherwise than it was opened.
    pub fn check(&self, nodes: &[ExtensionNode]) -> Result<(), BuildError> {
        let is_open = |node: &&ExtensionNode| node.is_storage && self.0.iter().any(|kept| kept.id == node.id);
        match nodes.iter().filter(is_open).find(|node| !self.is_as_written(node)) {
            Some(node) => Err(BuildError { kind: Kind::Extension, id: node.id.clone(), source: StorageChanged.into() }),
            None => Ok(()),
        }
    }

    /// Builds what is new or written otherwise; the former one of such is stopped by `end` at the latest.
    ///
    /// # Errors
    /// The first that cannot be built; nothing new is left.
    pub async fn build(
        &mut self,
        nodes: Vec<ExtensionNode>,
        around: &Surroundings,
        listeners: &Listeners,
        end: Instant,
    ) -> Result<(), BuildError> {
        for node in nodes {
            if self.is_as_written(&node) {
                continue;
            }
            if let Some(place) = self.0.iter().position(|kept| kept.id == node.id) {
                self.0.remove(place).stop(end).await;
            }
            let ExtensionNode { id, body, plan, .. } = node;
            let sockets = listeners.sockets();
            match plan.build(&around.cx(Kind::Extension, &id, &sockets)).await {
                Ok(built) => {
                    let storage = built.storage();
                    self.0.push(Kept { id, body, storage, sockets, state: State::Built(built) });
                }
                Err(source) => {
                    self.forget_built();
                    return Err(BuildError { kind: Kind::Extension, id, source });
                }
            }
        }
        Ok(())
    }

    /// Closes what was built and never started.
    pub fn forget_built(&mut self) {
        self.0.retain(|kept| matches!(kept.state, State::Running(_)));
    }

    /// What components may keep their state in.
    pub fn storages(&self) -> Storages {
        let mut storages = Storages::default();
        for kept in &self.0 {
            if let Some(storage) = &kept.storage {
                storages.add(kept.id.clone(), Arc::clone(storage));
            }
        }
        storages
    }

    /// Starts what was built; gives their ids.
    pub fn start(&mut self) -> Vec<ComponentId> {
        let mut started = Vec::new();
        for kept in &mut self.0 {
            if let State::Running(_) = kept.state {
                continue;
            }
            let State::Built(built) = std::mem::replace(&mut kept.state, State::Running(Tier::default())) else {
                continue;
            };
            let mut tier = Tier::default();
            let drain = tier.drain.clone();
            tier.spawn(Kind::Extension, kept.id.clone(), async move { built.run(drain).await });
            kept.state = State::Running(tier);
            started.push(kept.id.clone());
        }
        started
    }

    /// Stops those that are no storage and not among `ids`.
    pub async fn keep(&mut self, ids: &BTreeSet<ComponentId>, end: Instant) {
        let (stay, go) =
            std::mem::take(&mut self.0).into_iter().partition(|kept| kept.storage.is_some() || ids.contains(&kept.id));
        self.0 = stay;
        Self(go).stop(end).await;
    }

    /// The tasks of all that run.
    pub fn tiers(&mut self) -> impl Iterator<Item = &mut Tier> {
        self.0.iter_mut().filter_map(|kept| match &mut kept.state {
            State::Running(tier) => Some(tier),
            State::Built(_) => None,
        })
    }

    /// What all of them listen on.
    pub fn sockets(&self) -> impl Iterator<Item = &Sockets> {
        self.0.iter().map(|kept| &kept.sockets)
    }

    /// The ids of all.
    pub fn ids(&self) -> impl Iterator<Item = &ComponentId> {
        self.0.iter().map(|kept| &kept.id)
    }

    /// Stops all.
    pub async fn stop(self, end: Instant) {
        futures_util::future::join_all(self.0.into_iter().map(|kept| kept.stop(end))).await;
    }
}

impl Kept {
    async fn stop(self, end: Instant) {
        if let State::Running(mut tier) = self.state {
            tier.stop(end).await;
        }
    }
}
