//! The log of all queues on disk.

use super::{BuildError, plan::ExporterNode};
use crate::{
    component::{ComponentId, Kind, Storages},
    config::{OnFull, QueueConfig},
    delivery::durable::DurableQueue,
    event::Signal,
};
use lanner_queue::{Log, Policy, QueueOptions};

/// The log of all queues on disk.
pub(super) struct Disk {
    log: Log,
}

impl Disk {
    /// Opens the log that exporters name, if any does; the plan has seen to it that all name the same.
    pub async fn open(exporters: &[ExporterNode], storages: &Storages) -> Result<Option<Self>, BuildError> {
        let named = exporters.iter().find_map(|node| {
            let queue = &node.delivery.sending_queue;
            let storage = queue.storage.as_ref().filter(|_| queue.enabled != Some(false))?;
            Some((&node.id, storages.get(storage)?))
        });
        let Some((id, provider)) = named else { return Ok(None) };
        let failed = |source| BuildError { kind: Kind::Exporter, id: id.clone(), source };
        let log = provider.queues().await.map_err(failed)?;
        Ok(Some(Self { log }))
    }

    /// Takes the queue of an exporter and a signal into use. `run` tells what this process has accepted from what it finds.
    pub fn queue(
        &self,
        (id, signal): (&ComponentId, Signal),
        config: &QueueConfig,
        run: u64,
    ) -> Result<DurableQueue, BuildError> {
        let policy = match config.on_full {
            OnFull::Hold => Policy::Hold,
            OnFull::Reject => Policy::Reject,
        };
        let options = QueueOptions { policy, ..QueueOptions::default() };
        let queue = self.log.queue(&format!("{id}:{signal}"), options).map_err(|error| BuildError {
            kind: Kind::Exporter,
            id: id.clone(),
            source: error.into(),
        })?;
        Ok(DurableQueue::new(self.log.clone(), queue, run))
    }
}
