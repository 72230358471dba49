//! The log of all queues on disk.

use super::{BuildError, plan::ExporterNode};
use crate::{
    component::{ComponentId, Kind, Storages},
    config::{OnFull, QueueConfig},
    delivery::{durable::DurableQueue, entry::QueueName, shedding::Shedding},
    event::Signal,
};
use lanner_queue::{BadOptions, Log, Policy, QueueOptions};

/// What all queues on disk of the process share, over the graphs that reloads build.
pub(super) struct Process {
    /// Tells what this process has accepted from what it finds.
    pub run: u64,
    /// The queues that give way when the log is full.
    pub shedding: Shedding,
}

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

    /// Takes the queue of an exporter and a signal into use.
    pub fn queue(
        &self,
        (id, signal): (&ComponentId, Signal),
        config: &QueueConfig,
        process: &Process,
    ) -> Result<DurableQueue, BuildError> {
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
        let durable = DurableQueue::new(self.log.clone(), living, process.run).with_shedding(process.shedding.clone());
        let max_bytes = config.dead_letters.max_size_mib << 20;
        if max_bytes == 0 {
            return Ok(durable);
        }
        let options = QueueOptions { policy: Policy::DropOldest, max_bytes, ..QueueOptions::default() };
        Ok(durable.with_dead_letters(queue(name.dead_letters(), options)?))
    }
}
