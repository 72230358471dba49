//! Room in a queue: reserved, then used without failing, or given back.

use super::SendingQueue;
use crate::{delivery::ledger::DestinationAccount, event::OtlpRequest};
use std::sync::Arc;

/// Room in a queue, given back when dropped without a push.
#[must_use = "room that is not used is given back"]
pub struct Reservation<'q> {
    queue: &'q SendingQueue,
    units: usize,
    /// Bytes of the memory budget; none for what is in a log.
    memory: usize,
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
    pub fn reserve(&self, request: &OtlpRequest) -> Result<Reservation<'_>, Full> {
        let full = |what| {
            self.metrics.enqueue_failed.add(request.items as u64);
            what
        };
        let units = self.waiting.lock().reserve(request).ok_or_else(|| full(Full::Queue))?;
        // Dropping the reservation on the way out gives the units back.
        let mut reservation = Reservation { queue: self, units, memory: 0 };
        if self.disk.is_none() {
            let bytes = request.bytes.len();
            if !self.budget.take_queued(bytes) {
                return Err(full(Full::Memory));
            }
            reservation.memory = bytes;
        }
        Ok(reservation)
    }
}

impl Reservation<'_> {
    /// Puts the request into the room that was reserved for it.
    pub fn push(mut self, request: OtlpRequest, account: &Arc<DestinationAccount>) {
        let queue = self.queue;
        account.queued.add(request.items as i64);
        queue.metrics.size.add(self.units as i64);
        // They belong to the item now, or to the entry in the log, from where the sender takes it.
        let (units, memory) = (std::mem::take(&mut self.units), std::mem::take(&mut self.memory));
        if queue.disk.is_some() {
            return;
        }
        if queue.waiting.lock().push(request, account, units, memory) {
            queue.arrivals.notify_one();
        }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if self.units != 0 {
            self.queue.unreserve(self.units);
        }
        self.queue.budget.give_back_queued(self.memory);
    }
}
