//! `BuildCx`: what a component gets in its build phase.

use super::{BoxError, ComponentId, Kind, PipelineId, Storage, Storages};
use crate::telemetry::{Health, Telemetry};
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
}

/// A storage that is not there: plans are checked, so only a test can see it.
#[derive(Debug, thiserror::Error)]
#[error("there is no storage extension `{0}`; add it under `extensions` and list it in `service::extensions`")]
struct NoStorage(ComponentId);

impl BuildCx {
    /// The surroundings of the component `id`, without storage extensions.
    pub fn new(kind: Kind, id: ComponentId, telemetry: Telemetry, health: Health) -> Self {
        Self { kind, id, telemetry, health, pipeline: None, storages: Arc::default() }
    }

    /// The same with storage extensions.
    pub fn with_storages(self, storages: Arc<Storages>) -> Self {
        Self { storages, ..self }
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
