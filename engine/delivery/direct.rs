//! Exporters without a queue: the acknowledgement of a receiver waits for the export itself.

use super::{
    attempts::{Attempts, Destination},
    ledger::{DestinationAccount, reason},
    retry::Backoff,
};
use crate::{
    component::{ComponentId, Outcome, Request},
    event::Signal,
    telemetry::Telemetry,
};
use std::{sync::Arc, time::Duration};

/// An exporter without a queue: the acknowledgement waits for the attempt.
pub struct DirectSender(Attempts);

/// What an exporter without a queue made of a request, to be counted at the commit.
pub(super) struct Sent {
    rejected: usize,
    reason: &'static str,
}

/// An attempt that may be repeated.
pub(super) struct Failed {
    pub id: ComponentId,
    /// When to try again.
    pub after: Duration,
    /// Whether the sink named that time.
    pub asked: bool,
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
        Self(Attempts::new(destination, signal, telemetry))
    }

    /// One attempt.
    pub(super) async fn attempt(&self, request: &Request) -> Result<Sent, Failed> {
        let Self(attempts) = self;
        let (id, items) = (&attempts.destination.id, request.items());
        let outcome = {
            let _in_flight = attempts.in_flight();
            attempts.attempt(request).await
        };
        let retry = &attempts.destination.delivery.retry_on_failure;
        let (rejected, reason) = match outcome {
            Outcome::Delivered => {
                attempts.complaints.over();
                (0, reason::PARTIAL)
            }
            Outcome::Partial { rejected, reason: why } => {
                attempts.complaints.over();
                attempts.rejected_some(rejected, &why);
                (rejected.min(items), reason::PARTIAL)
            }
            Outcome::Retry { after, reason: why } if retry.enabled => {
                let (asked, after) = (after.is_some(), Backoff::new(retry).next(after));
                attempts.complaints.about(&why, after);
                return Err(Failed { id: id.clone(), after, asked });
            }
            Outcome::Retry { reason: why, .. } => {
                tracing::error!(exporter = %id, dropped_items = items, reason = %why, "Exporting failed. Dropping data.");
                attempts.complaints.dropped(&why);
                (items, reason::NO_RETRY)
            }
            Outcome::Reject { reason: why } | Outcome::Refuse { reason: why } => {
                let dropped_items = request.told_apart().map_or(items, |progress| progress.undelivered().len());
                tracing::error!(exporter = %id, dropped_items, reason = %why, "Exporting failed. Dropping data.");
                attempts.complaints.dropped(&why);
                (dropped_items, reason::SINK)
            }
        };
        attempts.count(items, rejected);
        Ok(Sent { rejected, reason })
    }
}
