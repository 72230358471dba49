//! Sending: from the queue to the exporter, with retry, timeout and a bound on what is in flight.
//!
//! Promises: at most `num_consumers` requests are in flight, those that wait for a retry included; a request is
//! encoded and merged once, whatever the number of attempts; a panic of an exporter costs one attempt, not the
//! process; on drain everything that waits is tried until the deadline, and what then remains is counted. What is on disk
//! may wait for the next run: on drain it is tried until an attempt fails, and what remains stays there. Asked to leave, it
//! begins nothing and gives what it has not delivered back to its queue, for the sender that a reload puts in its place.

use super::{
    attempts::{Attempts, Destination},
    gathering::Gathering,
    ledger::reason,
    queue::{SendingQueue, Taken, Wanted},
    retry::Backoff,
};
use crate::{
    component::{BoxError, ComponentId, Drain, Outcome, Request},
    config::RetryConfig,
    telemetry::Telemetry,
};
use std::{sync::Arc, time::Duration};
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
                if let Some(taken) = self.queue.take(plan.max_bytes, plan.max_records) {
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
            && let Some(taken) = self.queue.take(0, 0).filter(|taken| !taken.is_durable())
        {
            self.attempts.send_failed.add(taken.request.items as u64);
            taken.rejected(reason::SHUTDOWN);
        }
        Ok(())
    }

    fn spawn(&self, sends: &mut JoinSet<()>, taken: Taken, drain: &Drain, deadline: &Drain) {
        let attempts = Arc::clone(&self.attempts);
        let (drain, deadline, leave) = (drain.clone(), deadline.clone(), self.leave.clone());
        sends.spawn(async move {
            let _in_flight = attempts.in_flight();
            deliver(&attempts, taken, &drain, &deadline, &leave).await;
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

/// Repeats attempts until the request is settled.
async fn deliver(attempts: &Attempts, taken: Taken, drain: &Drain, deadline: &Drain, leave: &Drain) {
    let retry = &attempts.destination.delivery.retry_on_failure;
    let id = &attempts.destination.id;
    let request = Request::new(taken.request.clone());
    let items = request.items() as u64;
    let mut backoff = Backoff::new(retry);
    let started = Instant::now();
    loop {
        let outcome = tokio::select! {
            outcome = attempts.attempt(&request) => Some(outcome),
            () = deadline.requested() => None,
        };
        if leave.is_requested() && matches!(outcome, None | Some(Outcome::Retry { .. })) {
            return taken.give_back();
        }
        let is_over = deadline.is_requested() || (drain.is_requested() && taken.is_durable());
        let outcome = match outcome {
            Some(outcome) if !(is_over && matches!(outcome, Outcome::Retry { .. })) => outcome,
            // Dropped, it stays in the log.
            _ if taken.is_durable() => return attempts.left_behind.request(),
            _ => {
                attempts.send_failed.add(items);
                return taken.rejected(reason::SHUTDOWN);
            }
        };
        match outcome {
            Outcome::Delivered => {
                attempts.complaints.over();
                attempts.sent.add(items);
                return taken.delivered(0, reason::PARTIAL);
            }
            Outcome::Partial { rejected, reason: why } => {
                attempts.complaints.over();
                tracing::warn!(exporter = %id, rejected_items = rejected, reason = %why, "Exporting failed. Rejecting data.");
                let rejected = rejected.min(request.items());
                attempts.sent.add(items - rejected as u64);
                attempts.send_failed.add(rejected as u64);
                return taken.delivered(rejected, reason::PARTIAL);
            }
            Outcome::Reject { reason: why } => {
                tracing::error!(exporter = %id, dropped_items = items, reason = %why, "Exporting failed. Dropping data.");
                attempts.complaints.dropped(&why);
                attempts.send_failed.add(items);
                return taken.rejected(reason::SINK);
            }
            Outcome::Retry { after, reason: why } => {
                if let Some(cause) = gives_up(retry, started) {
                    tracing::error!(exporter = %id, dropped_items = items, reason = %why, "Exporting failed. Dropping data.");
                    attempts.complaints.dropped(&why);
                    attempts.send_failed.add(items);
                    return taken.rejected(cause);
                }
                let mut delay = backoff.next(after);
                if drain.is_requested() {
                    delay = delay.min(DRAIN_RETRY);
                }
                attempts.complaints.about(&why, delay);
                let was_draining = drain.is_requested();
                tokio::select! {
                    () = tokio::time::sleep(delay) => {}
                    () = drain.requested(), if !was_draining => {}
                    () = deadline.requested() => {}
                    () = leave.requested() => return taken.give_back(),
                }
            }
        }
    }
}

/// While draining a dead sink is tried this often.
const DRAIN_RETRY: Duration = Duration::from_secs(1);

fn gives_up(retry: &RetryConfig, started: Instant) -> Option<&'static str> {
    let limit = retry.max_elapsed_time.0;
    if !retry.enabled {
        Some(reason::NO_RETRY)
    } else if !limit.is_zero() && started.elapsed() >= limit {
        Some(reason::GAVE_UP)
    } else {
        None
    }
}
