//! Room in a queue: reserved, then used without failing, or given back.

use super::SendingQueue;
use crate::{
    delivery::{
        budget::{Budget, GivenBack},
        ledger::DestinationAccount,
        line::{Line, Turn},
    },
    event::OtlpRequest,
};
use std::sync::Arc;

/// Room in a queue, given back when dropped without a push.
#[must_use = "room that is not used is given back"]
pub struct Reservation<'q> {
    queue: &'q SendingQueue,
    units: usize,
    /// Bytes of the memory budget; none for what is in a log.
    memory: usize,
}

/// Where room is missing, and what was given back there until then.
#[derive(Clone, Copy)]
pub(in crate::delivery) enum Shortage<'q> {
    Queue(&'q SendingQueue, usize),
    Memory(&'q Budget, GivenBack),
}

impl<'q> Shortage<'q> {
    /// What is full, for whoever is refused because of it.
    pub fn name(&self) -> String {
        match self {
            Self::Queue(queue, _) => format!("the sending queue of {}", queue.name),
            Self::Memory(..) => "the memory budget".to_owned(),
        }
    }

    /// Whether it is a queue that makes the receiver wait instead of being refused.
    pub fn blocks(&self) -> bool {
        matches!(self, Self::Queue(queue, _) if queue.blocks())
    }

    /// Those who wait for it.
    pub fn line(&self) -> &'q Line {
        match self {
            Self::Queue(queue, _) => &queue.line,
            Self::Memory(budget, _) => budget.line(),
        }
    }

    /// Waits in line. Cancel-safe.
    pub async fn turn(self) -> Turn<'q> {
        let missed = || match self {
            Self::Queue(queue, before) => queue.waiting.lock().given_back != before,
            Self::Memory(budget, before) => budget.given_back() != before,
        };
        self.line().turn(missed).await
    }
}

impl SendingQueue {
    /// Reserves room for a request.
    ///
    /// # Errors
    /// The queue is full, or the memory budget is used up.
    pub(in crate::delivery) fn reserve(&self, request: &OtlpRequest) -> Result<Reservation<'_>, Shortage<'_>> {
        self.room_for(request).inspect_err(|_| self.metrics.enqueue_failed.add(request.items as u64))
    }

    /// Why there will never be room for a request, if that is so: it is larger than the empty queue. Who waited for it would wait
    /// for ever, and keep others from their turns.
    pub(in crate::delivery) fn never_has_room(&self, request: &OtlpRequest) -> Option<String> {
        let settings = self.waiting.lock().settings;
        let (units, bytes) = (settings.units_of(request), request.bytes.len());
        let name = &self.name;
        if units > settings.capacity {
            let (capacity, unit) = (settings.capacity, settings.sizer.as_str());
            return Some(format!(
                "the request has {units} {unit}, and the sending queue of {name} holds {capacity}; send less at once, or raise \
                 `sending_queue::queue_size`"
            ));
        }
        let limit = self.budget.limit();
        (self.disk.is_none() && bytes > limit).then(|| {
            format!(
                "the request has {bytes} bytes, and all queues in memory hold {limit}; send less at once, or raise \
                 `service::admission::limit_mib`"
            )
        })
    }

    fn room_for(&self, request: &OtlpRequest) -> Result<Reservation<'_>, Shortage<'_>> {
        let mut waiting = self.waiting.lock();
        let units = waiting.reserve(request).ok_or_else(|| Shortage::Queue(self, waiting.given_back))?;
        drop(waiting);
        // Dropping the reservation on the way out gives the units back.
        let mut reservation = Reservation { queue: self, units, memory: 0 };
        if self.disk.is_none() {
            let bytes = request.bytes.len();
            if !self.budget.take_queued(bytes) {
                // What is given back before this is found by the second attempt, and what is given back after it is noticed.
                let given_back = self.budget.given_back();
                if !self.budget.take_queued(bytes) {
                    return Err(Shortage::Memory(&self.budget, given_back));
                }
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
