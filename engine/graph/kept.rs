//! What outlives a graph: the sending queues, with what waits in them.
//!
//! Promises: a queue of an exporter and a signal is the same object in the graph that a reload builds, on disk or in
//! memory, so nothing that waits is moved, sent twice or counted twice; what is on disk and nobody's is kept, and shown as
//! such; what is in memory and nobody's is handed to the caller, who sees to its end.

use super::{BuildError, Surroundings, disk::Disk};
use crate::{
    component::{ComponentId, Storages},
    config::QueueConfig,
    delivery::{queue::SendingQueue, sender::Sender},
    event::Signal,
    net::Sockets,
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
    /// Tells on disk what this process has accepted from what it finds.
    run: u64,
    memory: BTreeMap<Key, Arc<SendingQueue>>,
    /// With those that no exporter has at the moment.
    disk: BTreeMap<Key, Arc<SendingQueue>>,
}

impl Queues {
    pub fn new() -> Self {
        Self { run: fastrand::u64(..), memory: BTreeMap::new(), disk: BTreeMap::new() }
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
        let log = disk.map(|disk| disk.queue((id, *signal), config, self.run)).transpose()?;
        if let Some(queue) = kept.get(key) {
            queue.configure(config);
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

    /// A graph with these senders has been built. What waits in memory for an exporter whose queue is on disk now goes
    /// there; queues in memory that the graph does not have are given to the caller.
    pub fn settle(&mut self, senders: &[Sender]) -> BTreeMap<ComponentId, Vec<Arc<SendingQueue>>> {
        let key = |queue: &SendingQueue, id: &ComponentId| (id.clone(), queue.signal());
        let used: BTreeMap<Key, &Arc<SendingQueue>> =
            senders.iter().map(|sender| (key(sender.queue(), sender.id()), sender.queue())).collect();
        let in_use = |key: &Key, on_disk| used.get(key).is_some_and(|queue| queue.is_on_disk() == on_disk);
        for (_, queue) in self.disk.iter().filter(|(key, _)| !in_use(key, true)) {
            queue.retire();
        }
        let mut left: BTreeMap<ComponentId, Vec<_>> = BTreeMap::new();
        let gone: Vec<Key> = self.memory.keys().filter(|key| !in_use(key, false)).cloned().collect();
        for key in gone {
            let Some(queue) = self.memory.remove(&key) else { continue };
            match used.get(&key) {
                Some(on_disk) => on_disk.adopt(&queue),
                None if queue.is_empty() => {}
                None => left.entry(key.0).or_default().push(queue),
            }
        }
        left
    }

    /// Nothing will run any more.
    pub fn end(&self) {
        self.memory.values().chain(self.disk.values()).for_each(SendingQueue::retire);
    }
}
