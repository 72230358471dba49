//! Sending: from the queue to the exporter, with retry, timeout and a bound on what is in flight.
//!
//! Promises: at most `num_consumers` requests are in flight, those that wait for a retry included; a request is
//! encoded and merged once, whatever the number of attempts; a panic of an exporter costs one attempt, not the
//! process; on drain everything that waits is tried until the deadline, and what then remains is counted.
//!
//! Gathering without a `batch` section: when nothing is in flight and nothing left within [`PACE`], what waits is sent
//! at once; else requests gather until [`GATHER_BYTES`] wait or the oldest waited [`GATHER_LINGER`]. A lone alert leaves
//! at once and a storm leaves in large requests, without a delay to configure. With a `batch` section its rules hold.

use super::{
    ledger::{DestinationAccount, reason},
    queue::{SendingQueue, Taken, Wanted},
    retry::Backoff,
    transaction::Hindrance,
};
use crate::{
    component::{BoxError, ComponentId, Drain, Exporter, Outcome, Request},
    config::{BatchConfig, DeliveryConfig, RetryConfig, Sizer},
    event::Signal,
    telemetry::{Counter, Gauge, Telemetry},
};
use futures_util::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};

/// How much gathers while something is in flight. Large enough to make the cost of a request vanish, far below the
/// 4 MiB that gRPC servers take by default.
const GATHER_BYTES: usize = 256 << 10;
/// How long something gathers at most while something else is in flight.
const GATHER_LINGER: Duration = Duration::from_millis(20);
/// Between two requests that are not full, so that a fast sink does not turn a storm into as many tiny requests as it
/// can answer: each costs as much CPU as several alerts.
const PACE: Duration = Duration::from_millis(5);
/// A request is never made larger than this by gathering.
const LARGEST_MERGE: usize = 2 << 20;

/// An exporter with what the engine knows about it.
pub struct Destination {
    pub id: ComponentId,
    pub exporter: Arc<dyn Exporter>,
    pub delivery: DeliveryConfig,
}

/// The attempts of one exporter for one signal: shared by the queued and the direct way.
struct Attempts {
    destination: Arc<Destination>,
    in_flight: Gauge,
    sent: Counter,
    send_failed: Counter,
    panics: Counter,
}

impl Attempts {
    fn new(destination: Arc<Destination>, signal: Signal, telemetry: &Telemetry) -> Self {
        let id = destination.id.as_str().to_owned();
        let label = [("exporter", id.as_str())];
        let (sent, failed) = match signal {
            Signal::Logs => ("otelcol_exporter_sent_log_records", "otelcol_exporter_send_failed_log_records"),
            Signal::Metrics => ("otelcol_exporter_sent_metric_points", "otelcol_exporter_send_failed_metric_points"),
            Signal::Traces => ("otelcol_exporter_sent_spans", "otelcol_exporter_send_failed_spans"),
        };
        Self {
            in_flight: telemetry.gauge(
                "otelcol_exporter_in_flight_requests",
                "Requests in flight, those that wait for a retry included.",
                "{request}",
                &[("exporter", &id), ("data_type", signal.as_str())],
            ),
            sent: telemetry.counter(sent, "Items the destination has.", "{record}", &label),
            send_failed: telemetry.counter(failed, "Items the destination will never have.", "{record}", &label),
            panics: telemetry.counter("lanner_exporter_panics", "Panics of the exporter.", "{panic}", &label),
            destination,
        }
    }

    /// One attempt, with its timeout.
    async fn attempt(&self, request: &Request) -> Outcome {
        let attempt = AssertUnwindSafe(self.destination.exporter.export(request)).catch_unwind();
        let limit = self.destination.delivery.timeout.map(|timeout| timeout.0).filter(|limit| !limit.is_zero());
        let ended = match limit {
            Some(limit) => match tokio::time::timeout(limit, attempt).await {
                Ok(ended) => ended,
                Err(_) => {
                    let reason = format!("no answer within {limit:?}");
                    return Outcome::Retry { after: None, reason };
                }
            },
            None => attempt.await,
        };
        ended.unwrap_or_else(|_| {
            self.panics.add(1);
            Outcome::Retry { after: None, reason: "the exporter panicked".to_owned() }
        })
    }
}

/// The sender of one queue.
pub struct Sender {
    queue: Arc<SendingQueue>,
    attempts: Arc<Attempts>,
    /// So that a dead sink does not fill the log.
    complaints: Arc<Complaints>,
}

impl Sender {
    /// A sender for `queue`.
    pub fn new(queue: Arc<SendingQueue>, destination: Arc<Destination>, telemetry: &Telemetry) -> Self {
        let attempts = Arc::new(Attempts::new(destination, queue.signal(), telemetry));
        Self { queue, attempts, complaints: Arc::default() }
    }

    /// The exporter's id.
    pub fn id(&self) -> &ComponentId {
        &self.attempts.destination.id
    }

    /// Sends until drained, then until the queue is empty or `deadline` is over.
    ///
    /// # Errors
    /// None today; the shape of every task of the graph.
    pub async fn run(self, drain: Drain, deadline: Drain) -> Result<(), BoxError> {
        let config = self.attempts.destination.delivery.sending_queue.clone();
        let plan = Gathering::of(&config.batch, config.sizer);
        let mut sends: JoinSet<()> = JoinSet::new();
        let mut last_left: Option<Instant> = None;
        loop {
            while let Some(ended) = sends.try_join_next() {
                report(ended);
            }
            if deadline.is_requested() {
                break;
            }
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
            }
        }
        // The deadline has come. Sends in flight see it too and settle; what still waits is counted here.
        while let Some(ended) = sends.join_next().await {
            report(ended);
        }
        while let Some(taken) = self.queue.take(0, 0) {
            self.attempts.send_failed.add(taken.request.items as u64);
            taken.rejected(reason::SHUTDOWN);
        }
        Ok(())
    }

    fn spawn(&self, sends: &mut JoinSet<()>, taken: Taken, drain: &Drain, deadline: &Drain) {
        let attempts = Arc::clone(&self.attempts);
        let complaints = Arc::clone(&self.complaints);
        let (drain, deadline) = (drain.clone(), deadline.clone());
        sends.spawn(async move {
            attempts.in_flight.add(1);
            let gauge = InFlight(&attempts.in_flight);
            deliver(&attempts, &complaints, taken, &drain, &deadline).await;
            drop(gauge);
        });
    }
}

/// Takes one from the gauge when dropped, however the task ends.
struct InFlight<'a>(&'a Gauge);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.add(-1);
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
async fn deliver(attempts: &Attempts, complaints: &Complaints, taken: Taken, drain: &Drain, deadline: &Drain) {
    let retry = &attempts.destination.delivery.retry_on_failure;
    let id = &attempts.destination.id;
    let request = Request::new(taken.request.clone());
    let items = request.items() as u64;
    let mut backoff = Backoff::new(retry);
    let started = Instant::now();
    loop {
        let outcome = tokio::select! {
            outcome = attempts.attempt(&request) => outcome,
            () = deadline.requested() => Outcome::Reject { reason: String::new() },
        };
        if deadline.is_requested() && !matches!(outcome, Outcome::Delivered | Outcome::Partial { .. }) {
            attempts.send_failed.add(items);
            return taken.rejected(reason::SHUTDOWN);
        }
        match outcome {
            Outcome::Delivered => {
                complaints.over(id);
                attempts.sent.add(items);
                return taken.delivered(0, reason::PARTIAL);
            }
            Outcome::Partial { rejected, reason: why } => {
                tracing::warn!(exporter = %id, rejected_items = rejected, reason = %why, "Exporting failed. Rejecting data.");
                let rejected = rejected.min(request.items());
                attempts.sent.add(items - rejected as u64);
                attempts.send_failed.add(rejected as u64);
                return taken.delivered(rejected, reason::PARTIAL);
            }
            Outcome::Reject { reason: why } => {
                tracing::error!(exporter = %id, dropped_items = items, reason = %why, "Exporting failed. Dropping data.");
                attempts.send_failed.add(items);
                return taken.rejected(reason::SINK);
            }
            Outcome::Retry { after, reason: why } => {
                if let Some(cause) = gives_up(retry, started) {
                    tracing::error!(exporter = %id, dropped_items = items, reason = %why, "Exporting failed. Dropping data.");
                    attempts.send_failed.add(items);
                    return taken.rejected(cause);
                }
                let mut delay = backoff.next(after);
                if drain.is_requested() {
                    delay = delay.min(DRAIN_RETRY);
                }
                complaints.about(id, &why, delay);
                let was_draining = drain.is_requested();
                tokio::select! {
                    () = tokio::time::sleep(delay) => {}
                    () = drain.requested(), if !was_draining => {}
                    () = deadline.requested() => {}
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

/// What is sent together, and when.
struct Gathering {
    /// Enough to send.
    ripe: Wanted,
    linger: Duration,
    /// Whether what waits leaves at once when nothing is in flight.
    eager: bool,
    max_bytes: usize,
    max_records: usize,
    split_records: usize,
    split_bytes: usize,
}

impl Gathering {
    fn of(batch: &Option<BatchConfig>, queue_sizer: Sizer) -> Self {
        let Some(batch) = batch else {
            return Self {
                ripe: Wanted { bytes: GATHER_BYTES, records: usize::MAX },
                linger: GATHER_LINGER,
                eager: true,
                max_bytes: LARGEST_MERGE,
                max_records: 0,
                split_records: 0,
                split_bytes: 0,
            };
        };
        let by_bytes = batch.sizer.unwrap_or(queue_sizer) == Sizer::Bytes;
        let (ripe, max_bytes, max_records) = if by_bytes {
            (Wanted { bytes: batch.min_size, records: usize::MAX }, batch.max_size, 0)
        } else {
            (Wanted { bytes: usize::MAX, records: batch.min_size }, 0, batch.max_size)
        };
        Self {
            ripe,
            linger: batch.flush_timeout.0,
            eager: false,
            // Takes up to the limit; a single request over it is split behind.
            max_bytes: if by_bytes && batch.max_size == 0 { batch.min_size.max(LARGEST_MERGE) } else { max_bytes },
            max_records: if !by_bytes && batch.max_size == 0 { batch.min_size } else { max_records },
            split_records: if by_bytes { 0 } else { batch.max_size },
            split_bytes: if by_bytes { batch.max_size } else { 0 },
        }
    }

    fn is_ripe(&self, waiting: Wanted) -> bool {
        waiting.bytes >= self.ripe.bytes || waiting.records >= self.ripe.records
    }

    /// When what arrived then must leave. `idle`: nothing is in flight.
    fn due(&self, arrived: Instant, idle: bool, last_left: Option<Instant>, draining: bool) -> Instant {
        if draining {
            arrived
        } else if self.eager && idle {
            last_left.map_or(arrived, |left| arrived.max(left + PACE))
        } else {
            arrived + self.linger
        }
    }
}

/// An exporter without a queue: the acknowledgement waits for the attempt.
pub struct DirectSender {
    attempts: Attempts,
    complaints: Complaints,
}

/// What an exporter without a queue made of a request, to be counted at the commit.
pub(super) struct Sent {
    rejected: usize,
    reason: &'static str,
}

impl Sent {
    /// Counts the items.
    pub fn settle(&self, account: &DestinationAccount, items: usize) {
        account.delivered.add((items - self.rejected.min(items)) as u64);
        account.reject(self.reason, self.rejected.min(items) as u64);
    }
}

impl DirectSender {
    /// A sender without a queue.
    pub fn new(destination: Arc<Destination>, signal: Signal, telemetry: &Telemetry) -> Self {
        Self { attempts: Attempts::new(destination, signal, telemetry), complaints: Complaints::default() }
    }

    /// One attempt.
    pub(super) async fn attempt(&self, request: &Request) -> Result<Sent, Hindrance> {
        let (id, items) = (&self.attempts.destination.id, request.items());
        self.attempts.in_flight.add(1);
        let gauge = InFlight(&self.attempts.in_flight);
        let outcome = self.attempts.attempt(request).await;
        drop(gauge);
        let retry = &self.attempts.destination.delivery.retry_on_failure;
        let (rejected, reason) = match outcome {
            Outcome::Delivered => {
                self.complaints.over(id);
                (0, reason::PARTIAL)
            }
            Outcome::Partial { rejected, reason: why } => {
                tracing::warn!(exporter = %id, rejected_items = rejected, reason = %why, "Exporting failed. Rejecting data.");
                (rejected.min(items), reason::PARTIAL)
            }
            Outcome::Retry { after, reason: why } if retry.enabled => {
                let after = Backoff::new(retry).next(after);
                self.complaints.about(id, &why, after);
                return Err(Hindrance::Failed { name: id.to_string(), after });
            }
            Outcome::Retry { reason: why, .. } => {
                tracing::error!(exporter = %id, dropped_items = items, reason = %why, "Exporting failed. Dropping data.");
                (items, reason::NO_RETRY)
            }
            Outcome::Reject { reason: why } => {
                tracing::error!(exporter = %id, dropped_items = items, reason = %why, "Exporting failed. Dropping data.");
                (items, reason::SINK)
            }
        };
        self.attempts.sent.add((items - rejected) as u64);
        self.attempts.send_failed.add(rejected as u64);
        Ok(Sent { rejected, reason })
    }
}

/// Log lines about a sink that fails: the first, then every 2^n-th, then one when it works again.
#[derive(Default)]
struct Complaints(AtomicU32);

impl Complaints {
    fn about(&self, id: &ComponentId, why: &str, delay: Duration) {
        let failures = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed).saturating_add(1);
        if failures.is_power_of_two() {
            tracing::warn!(
                exporter = %id, reason = %why, interval = ?delay, failures,
                "Exporting failed. Will retry the request after interval."
            );
        }
    }

    fn over(&self, id: &ComponentId) {
        if self.0.load(std::sync::atomic::Ordering::Relaxed) > 0 {
            let failures = self.0.swap(0, std::sync::atomic::Ordering::Relaxed);
            if failures > 0 {
                tracing::info!(exporter = %id, failures, "Exporting works again.");
            }
        }
    }
}
