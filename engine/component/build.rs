//! `BuildCx`: what a component gets in its build phase.

use super::{BoxError, ComponentId, Kind, Storage, Storages};
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
    storages: Arc<Storages>,
}

/// A storage that is not there: plans are checked, so only a test can see it.
#[derive(Debug, thiserror::Error)]
#[error("there is no storage extension `{0}`; add it under `extensions` and list it in `service::extensions`")]
struct NoStorage(ComponentId);

impl BuildCx {
    /// The surroundings of the component `id`, without storage extensions.
    pub fn new(kind: Kind, id: ComponentId, telemetry: Telemetry, health: Health) -> Self {
        Self { kind, id, telemetry, health, storages: Arc::default() }
    }

    /// The same with storage extensions.
    pub fn with_storages(self, storages: Arc<Storages>) -> Self {
        Self { storages, ..self }
    }

    /// The component's own state in the storage extension `extension`, which its plan phase has claimed.
    ///
    /// # Errors
    /// There is no such extension.
    pub fn storage(&self, extension: &ComponentId) -> Result<Arc<dyn Storage>, BoxError> {
        let provider = self.storages.get(extension).ok_or_else(|| NoStorage(extension.clone()))?;
        Ok(provider.open(&format!("{}/{}", self.kind, self.id)))
    }
}
