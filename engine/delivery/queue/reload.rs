//! What a reload does to a queue that outlives the graph: other settings, another place, no exporter any more.
//!
//! Promise: nothing that waits is lost, sent twice or counted twice by it. Called while nothing is in flight.

use super::{Returned, SendingQueue, Settings, Together, Waiting};
use crate::{
    config::{QueueConfig, Sizer},
    delivery::{durable::DurableQueue, ledger::reason, letters::Letters, settling::Settling, taken::Refused},
};
use std::sync::Arc;

impl SendingQueue {
    /// Takes over settings that a reload has changed; what waits is counted anew. `log` is what the settings make of its part
    /// of a log, where it has one: whether there are dead letters comes from there. Called while nothing is in flight.
    pub fn configure(self: &Arc<Self>, config: &QueueConfig, log: Option<&DurableQueue>) {
        self.gives_way(config);
        if let (Some(disk), Some(log)) = (&self.disk, log) {
            let letters = Letters::of(log, &self.name, self.signal, &disk.telemetry).map(Arc::new);
            let goes = letters.is_none();
            let before = std::mem::replace(&mut *disk.letters.write(), letters);
            before.filter(|_| goes).iter().for_each(|letters| letters.retire());
        }
        let settings = Settings::of(config);
        self.metrics.capacity.set(i64::try_from(settings.capacity).unwrap_or(i64::MAX));
        let mut waiting = self.waiting.lock();
        let before = std::mem::replace(&mut waiting.settings, settings);
        if before.sizer == settings.sizer {
            return;
        }
        waiting.returned.iter_mut().for_each(|returned| returned.units = settings.units_of(&returned.request));
        waiting.items.iter_mut().for_each(|item| item.units = settings.units(item.records(), item.size()));
        let mut units = waiting.units();
        if let Some(disk) = self.disk.as_ref().filter(|_| settings.sizer == Sizer::Requests) {
            units = usize::try_from(disk.queue.stats().entries).unwrap_or(usize::MAX);
        }
        let used = std::mem::replace(&mut waiting.used, units);
        self.metrics.size.add(units as i64 - used as i64);
    }

    /// Takes over what waits in a queue in memory; it goes first.
    pub fn adopt(&self, other: &Self) {
        let (returned, items) = {
            let mut waiting = other.waiting.lock();
            let (used, given_back) = (waiting.used, waiting.given_back);
            let empty = Waiting { used, given_back, ..Waiting::new(waiting.settings) };
            let Waiting { returned, items, .. } = std::mem::replace(&mut *waiting, empty);
            (returned, items)
        };
        let items = items.into_iter().map(|mut item| Returned {
            parts: std::mem::take(&mut item.parts),
            units: item.units,
            arrived: item.arrived,
            memory: item.memory,
            settling: Settling::new(item.entry.take().into_iter().collect()),
            request: item.into_request(),
        });
        for mut returned in returned.into_iter().chain(items) {
            // Both are of one memory budget.
            other.give_back(returned.units, 0);
            let mut waiting = self.waiting.lock();
            returned.units = waiting.settings.units_of(&returned.request);
            waiting.used += returned.units;
            self.metrics.size.add(returned.units as i64);
            waiting.put_back(returned);
        }
    }

    /// No exporter has it any more. What is in a log stays there and is shown as nobody's; what is only in memory is counted
    /// as rejected.
    pub fn retire(self: &Arc<Self>) {
        while let Some(taken) = self.take(Together::default()) {
            if !taken.is_durable() {
                taken.settle(&Refused::All, reason::SHUTDOWN, "");
            }
        }
        if let Some(disk) = &self.disk {
            disk.queue.retire();
            disk.letters.read().iter().for_each(|letters| letters.retire());
        }
    }
}
