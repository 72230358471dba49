//! What outlives a graph: the sending queues, with what waits in them.
//!
//! Promises: a queue of an exporter and a signal is the same object in the graph that a reload builds, on disk or in
//! memory, so nothing that waits is moved, sent twice or counted twice; what is on disk and nobody's is kept, and shown as
//! such; what is in memory and nobody's is handed to the caller, who sees to its end.

use super::{
    BuildError, Surroundings,
    build::Graph,
    disk::{Disk, Process},
};
use crate::{
    component::{ComponentId, Storages},
    config::QueueConfig,
    delivery::{queue::SendingQueue, sender::Sender, shedding::Shedding},
    event::Signal,
    net::Sockets,
    telemetry::Telemetry,
};
use std::{collections::BTreeMap, sync::Arc};

/// What a graph stands on.
pub(super) struct Ground<'k> {
    pub storages: Arc<Storages>,
    pub sockets: Sockets,
    pub queues: &'k mut Queues,
}

type Key = (ComponentId, Signal);

/// The sending queues of a process.
pub(super) struct Queues {
    process: Process,
    memory: BTreeMap<Key, Arc<SendingQueue>>,
    /// With those that no exporter has at the moment.
    disk: BTreeMap<Key, Arc<SendingQueue>>,
}

impl Queues {
    pub fn new() -> Self {
        Self {
            process: Process { run: fastrand::u64(..), shedding: Shedding::default() },
            memory: BTreeMap::new(),
            disk: BTreeMap::new(),
        }
    }

    /// The queue of an exporter and a signal, as a graph before has left it.
    ///
    /// # Errors
    /// The log cannot take it.
    pub fn queue(
        &mut self,
        key: &Key,
        config: &QueueConfig,
        disk: Option<&Disk>,
        around: &Surroundings,
    ) -> Result<Arc<SendingQueue>, BuildError> {
        let ((id, signal), budget) = (key, around.budget.clone());
        let disk = disk.filter(|_| config.storage.is_some());
        let kept = if disk.is_some() { &mut self.disk } else { &mut self.memory };
        // Taken into use also when it is known: its policy may be another one.
        let log = disk.map(|disk| disk.queue((id, *signal), config, &self.process)).transpose()?;
        if let Some(queue) = kept.get(key) {
            queue.configure(config, log.as_ref());
            return Ok(Arc::clone(queue));
        }
        let queue = match log {
            Some(log) => {
                let books = (budget, &around.ledger, &around.telemetry);
                SendingQueue::on_disk(id.as_str(), *signal, config, log, books)
            }
            None => SendingQueue::new(id.as_str(), *signal, config, budget, &around.telemetry),
        };
        kept.insert(key.clone(), Arc::clone(&queue));
        Ok(queue)
    }

    /// A graph has been built. What waits in memory for an exporter whose queue is on disk now goes there; a queue that the
    /// graph has no use for gets a sender all the same, so that it runs empty, if its exporter is there. Queues of others
    /// are given to the caller.
    pub fn settle(
        &mut self,
        graph: &mut Graph,
        telemetry: &Telemetry,
    ) -> BTreeMap<ComponentId, Vec<Arc<SendingQueue>>> {
        let used: BTreeMap<Key, Arc<SendingQueue>> = graph
            .senders
            .iter()
            .map(|sender| ((sender.id().clone(), sender.queue().signal()), Arc::clone(sender.queue())))
            .collect();
        let in_use = |key: &Key, on_disk| used.get(key).is_some_and(|queue| queue.is_on_disk() == on_disk);
        for (_, queue) in self.disk.iter().filter(|(key, _)| !in_use(key, true)) {
            queue.retire();
        }
        let mut left: BTreeMap<ComponentId, Vec<_>> = BTreeMap::new();
        self.memory.retain(|key, queue| {
            if in_use(key, false) {
                return true;
            }
            match (used.get(key), graph.destinations.get(&key.0)) {
                (Some(on_disk), _) => on_disk.adopt(queue),
                (None, _) if queue.is_empty() => {}
                (None, Some(destination)) => {
                    graph.senders.push(Sender::new(Arc::clone(queue), Arc::clone(destination), telemetry));
                    return true;
                }
                (None, None) => left.entry(key.0.clone()).or_default().push(Arc::clone(queue)),
            }
            false
        });
        left
    }

    /// Nothing will run any more.
    pub fn end(&self) {
        self.memory.values().chain(self.disk.values()).for_each(SendingQueue::retire);
    }
}
