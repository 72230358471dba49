//! Room in a queue: reserved, then used without failing, or given back.

use super::{Item, SendingQueue};
use crate::{
    delivery::{budget::Reserved, ledger::DestinationAccount},
    event::OtlpRequest,
};
use std::sync::{Arc, atomic::Ordering::Relaxed};
use tokio::time::Instant;

/// Room in a queue, given back when dropped without a push.
#[must_use = "room that is not used is given back"]
pub struct Reservation {
    queue: Arc<SendingQueue>,
    units: usize,
    memory: Option<Reserved>,
}

/// What is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    Queue,
    Memory,
}

impl SendingQueue {
    /// Reserves room for a request.
    ///
    /// # Errors
    /// The queue is full, or the memory budget is used up.
    pub fn reserve(self: &Arc<Self>, request: &OtlpRequest) -> Result<Reservation, Full> {
        let settings = *self.settings.read();
        let units = settings.units(request);
        let fits = |used: usize| used.checked_add(units).filter(|sum| *sum <= settings.capacity);
        let full = |what| {
            self.metrics.enqueue_failed.add(request.items as u64);
            what
        };
        self.used.fetch_update(Relaxed, Relaxed, fits).map_err(|_| full(Full::Queue))?;
        let mut reservation = Reservation { queue: Arc::clone(self), units, memory: None };
        if self.disk.is_none() {
            // Dropping the reservation on the way out gives the units back.
            reservation.memory = Some(self.budget.reserve(request.bytes.len()).ok_or_else(|| full(Full::Memory))?);
        }
        Ok(reservation)
    }
}

impl Reservation {
    /// Puts the request into the room that was reserved for it.
    pub fn push(mut self, request: OtlpRequest, account: Arc<DestinationAccount>) {
        let queue = &self.queue;
        account.queued.add(request.items as i64);
        queue.metrics.size.add(self.units as i64);
        let Some(memory) = self.memory.take() else {
            // It is in the log, from where the sender takes it; the units belong to the entry.
            self.units = 0;
            return;
        };
        let mut waiting = queue.waiting.lock();
        let had = waiting.has(waiting.wanted);
        waiting.bytes += request.bytes.len();
        waiting.records += request.items;
        waiting.items.push_back(Item {
            request,
            account,
            units: self.units,
            arrived: Instant::now(),
            memory: Some(memory),
            entry: None,
        });
        let wake = !had && waiting.has(waiting.wanted);
        drop(waiting);
        if wake {
            queue.arrivals.notify_one();
        }
        // The units now belong to the item.
        self.units = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.units != 0 {
            self.queue.unreserve(self.units);
        }
    }
}
