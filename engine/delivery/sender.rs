//! Sending: from the queue to the exporter, with retry, timeout and a bound on what is in flight.
//!
//! Promises: at most `num_consumers` requests are in flight, those that wait for a retry included; a request is
//! encoded and merged once, whatever the number of attempts; a panic of an exporter costs one attempt, not the
//! process; on drain everything that waits is tried until the deadline, and what then remains is counted. What is on disk
//! may wait for the next run: on drain it is tried until an attempt fails, and what remains stays there. Asked to leave, it
//! begins nothing and gives what it has not delivered back to its queue, for the sender that a reload puts in its place.

use super::{
    attempts::{Attempts, Destination},
    dispatch::{Stop, dispatch},
    gathering::Gathering,
    ledger::reason,
    queue::{SendingQueue, Together, Wanted},
    taken::{Refused, Taken},
};
use crate::{
    component::{BoxError, ComponentId, Drain},
    telemetry::Telemetry,
};
use std::sync::Arc;
use tokio::{task::JoinSet, time::Instant};

/// The sender of one queue.
pub struct Sender {
    queue: Arc<SendingQueue>,
    attempts: Arc<Attempts>,
    leave: Drain,
}

impl Sender {
    /// A sender for `queue`.
    pub fn new(queue: Arc<SendingQueue>, destination: Arc<Destination>, telemetry: &Telemetry) -> Self {
        let attempts = Arc::new(Attempts::new(destination, queue.signal(), telemetry));
        Self { queue, attempts, leave: Drain::new() }
    }

    /// Given, the sender ends as soon as no attempt is in flight, and leaves the rest to another one.
    pub fn leave(&self) -> Drain {
        self.leave.clone()
    }

    /// What it sends.
    pub fn queue(&self) -> &Arc<SendingQueue> {
        &self.queue
    }

    /// The exporter's id.
    pub fn id(&self) -> &ComponentId {
        &self.attempts.destination.id
    }

    /// Sends until drained, then until the queue is empty or `deadline` is over; or until it is to leave.
    ///
    /// # Errors
    /// None today; the shape of every task of the graph.
    pub async fn run(self, drain: Drain, deadline: Drain) -> Result<(), BoxError> {
        let config = self.attempts.destination.delivery.sending_queue.clone();
        let plan = Gathering::of(&config.batch, config.sizer);
        let mut sends: JoinSet<()> = JoinSet::new();
        let mut last_left: Option<Instant> = None;
        let on_disk = self.queue.disk().is_some();
        loop {
            while let Some(ended) = sends.try_join_next() {
                report(ended);
            }
            if self.leave.is_requested()
                || deadline.is_requested()
                || (on_disk && drain.is_requested() && self.attempts.left_behind.is_requested())
            {
                break;
            }
            self.queue.refill();
            let draining = drain.is_requested();
            let slots = sends.len() < config.num_consumers.max(1);
            let (waiting, oldest) = self.queue.waiting();
            let due = oldest.map(|arrived| plan.due(arrived, sends.is_empty(), last_left, draining));
            let now = Instant::now();
            if slots && due.is_some_and(|due| plan.is_ripe(waiting) || due <= now) {
                if let Some(taken) = self.queue.take(plan.together) {
                    last_left = Some(now);
                    for part in taken.split(plan.split_records, plan.split_bytes) {
                        self.spawn(&mut sends, part, &drain, &deadline);
                    }
                }
                continue;
            }
            if draining && oldest.is_none() && sends.is_empty() {
                break;
            }
            // Sleeps until something can change the decision: a send ended, enough arrived, the linger is over.
            let wanted = if oldest.is_none() { Wanted::default() } else { plan.ripe };
            let linger = async {
                match due.filter(|_| slots) {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(ended) = sends.join_next(), if !sends.is_empty() => report(ended),
                () = self.queue.arrived(wanted), if slots => {}
                () = linger => {}
                () = drain.requested(), if !draining => {}
                () = deadline.requested() => {}
                () = self.leave.requested() => {}
            }
        }
        // The deadline has come. Sends in flight see it too and settle; what still waits is counted here.
        while let Some(ended) = sends.join_next().await {
            report(ended);
        }
        while !self.leave.is_requested()
            && let Some(taken) = self.queue.take(Together::default()).filter(|taken| !taken.is_durable())
        {
            self.attempts.count(taken.request.items, taken.request.items);
            taken.settle(&Refused::All, reason::SHUTDOWN, "");
        }
        Ok(())
    }

    fn spawn(&self, sends: &mut JoinSet<()>, taken: Taken, drain: &Drain, deadline: &Drain) {
        let attempts = Arc::clone(&self.attempts);
        let stop = Stop { drain: drain.clone(), deadline: deadline.clone(), leave: self.leave.clone() };
        sends.spawn(async move {
            // It is never closed.
            let _slot = attempts.slots.acquire().await;
            let _in_flight = attempts.in_flight();
            dispatch(&attempts, taken, &stop).await;
        });
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        // Exporters are guarded by themselves, so this would be a defect of the engine; the items were counted as
        // abandoned when the task was dropped.
        tracing::error!("a sending task panicked: {error}");
    }
}
