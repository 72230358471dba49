//! `BuildCx`: what a component gets in its build phase.

use super::{BoxError, ComponentId, Kind, PipelineId, Storage, Storages};
use crate::{
    config::ListenAddress,
    net::{BindError, HttpServer, Limits, Sockets, tls::ServerTls},
    telemetry::{Health, Telemetry},
};
use std::sync::Arc;

/// The surroundings of a component that is being built.
#[derive(Clone)]
pub struct BuildCx {
    pub kind: Kind,
    pub id: ComponentId,
    /// Own metrics: `cx.telemetry.counter(name, help, labels)`.
    pub telemetry: Telemetry,
    /// How the process and its components are; a component may report its own status.
    pub health: Health,
    /// The pipeline of a processor: one that stands in several is built for each.
    pipeline: Option<PipelineId>,
    storages: Arc<Storages>,
    sockets: Sockets,
}

/// A storage that is not there: plans are checked, so only a test can see it.
#[derive(Debug, thiserror::Error)]
#[error("there is no storage extension `{0}`; add it under `extensions` and list it in `service::extensions`")]
struct NoStorage(ComponentId);

impl BuildCx {
    /// The surroundings of the component `id`, without storage extensions.
    pub fn new(kind: Kind, id: ComponentId, telemetry: Telemetry, health: Health) -> Self {
        Self { kind, id, telemetry, health, pipeline: None, storages: Arc::default(), sockets: Sockets::default() }
    }

    /// The same with storage extensions.
    pub fn with_storages(self, storages: Arc<Storages>) -> Self {
        Self { storages, ..self }
    }

    /// The same with listeners that stay open over a reload.
    pub fn with_sockets(self, sockets: Sockets) -> Self {
        Self { sockets, ..self }
    }

    /// Opens a listener, which stays open over a reload as long as somebody wants its address.
    ///
    /// # Errors
    /// [`BindError`] with the address and what to do.
    pub fn bind(
        &self,
        address: &ListenAddress,
        tls: Option<ServerTls>,
        limits: Limits,
    ) -> Result<HttpServer, BindError> {
        HttpServer::bind_kept(&self.sockets, address, tls, limits)
    }

    /// Whether this is only to see whether it can be built, beside the graph that a reload shall replace: what only one
    /// can have at a time must not be taken.
    pub fn is_rehearsal(&self) -> bool {
        self.sockets.is_rehearsal()
    }

    /// The same for a processor of this pipeline.
    pub fn in_pipeline(self, pipeline: &PipelineId) -> Self {
        Self { pipeline: Some(pipeline.clone()), ..self }
    }

    /// What tells the component from all others of the process, for example `receiver/file_log/audit` or
    /// `processor/aggregate in logs/alerts`.
    pub fn owner(&self) -> String {
        match &self.pipeline {
            Some(pipeline) => format!("{}/{} in {pipeline}", self.kind, self.id),
            None => format!("{}/{}", self.kind, self.id),
        }
    }

    /// The component's own state in the storage extension `extension`, which its plan phase has claimed.
    ///
    /// # Errors
    /// There is no such extension.
    pub fn storage(&self, extension: &ComponentId) -> Result<Arc<dyn Storage>, BoxError> {
        let provider = self.storages.get(extension).ok_or_else(|| NoStorage(extension.clone()))?;
        Ok(provider.open(&self.owner()))
    }
}
