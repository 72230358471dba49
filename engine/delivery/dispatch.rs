//! One request on its way: attempts until the sink has it, halves where the sink refuses it, and its end.
//!
//! Promises: an attempt that may be repeated is repeated until the configuration says otherwise; of a refused request the
//! good records are delivered ([`Bisection`]); what an exporter has told apart is neither halved nor put back; every item is
//! counted once; on the deadline, or on a drain when an attempt at
//! what is on disk failed, the rest is left where it is; for a successor it is put back into the queue.

use super::{
    attempts::Attempts,
    bisection::Bisection,
    ledger::reason,
    retry::{Backoff, DRAIN_RETRY},
    taken::{Refused, Taken},
};
use crate::{
    component::{Drain, Outcome, Request},
    config::RetryConfig,
};
use std::sync::atomic::Ordering::Relaxed;
use tokio::time::Instant;

/// When to stop.
#[derive(Clone)]
pub(super) struct Stop {
    /// Finish what was begun.
    pub drain: Drain,
    /// The end.
    pub deadline: Drain,
    /// Begin nothing more and put back what is not delivered: another sender goes on.
    pub leave: Drain,
}

/// What the attempts at a part came to.
enum End {
    /// The sink has it, but for these.
    Taken(Refused, String),
    /// The sink will never take it, and the exporter has tried every record.
    Refused(String),
    /// The sink will never take it as it is; halves may pass.
    Divisible(String),
    /// The sink takes nothing from us.
    AllRefused(String),
    /// The configuration says that it was tried for long enough.
    GivenUp(Refused, &'static str, String),
    /// It is time to stop.
    Interrupted(Refused),
}

/// What is told about a request when it is over.
#[derive(Default)]
struct Loss {
    items: usize,
    why: String,
}

/// Delivers a request. Dropping the future leaves what is on disk there, and counts the rest as abandoned.
pub(super) async fn dispatch(attempts: &Attempts, taken: Taken, stop: &Stop) {
    let (queue, settling) = (taken.queue().clone(), taken.settling());
    let started = Instant::now();
    let mut course = Bisection::new(taken, attempts.trust.load(Relaxed));
    let mut loss = Loss::default();
    while let Some(part) = course.next() {
        let items = part.request.items;
        let request = Request::new(part.request.clone());
        let (over, refused, cause, why) = match attempt(attempts, &part, &request, started, stop).await {
            End::Taken(refused, why) => {
                course.taken();
                attempts.complaints.over();
                let rejected = refused.count(items);
                attempts.rejected_some(rejected, &why);
                attempts.count(items, rejected);
                part.settle(&refused, reason::PARTIAL, &why);
                continue;
            }
            End::Interrupted(_) if stop.leave.is_requested() => {
                settle_told_apart(attempts, part, &request).1.into_iter().for_each(Taken::put_back);
                while let Some(part) = course.next() {
                    part.put_back();
                }
                break;
            }
            // Dropped, it stays in the log.
            End::Interrupted(_) if part.is_durable() => return attempts.left_behind.request(),
            End::Interrupted(refused) => (vec![part], refused, reason::SHUTDOWN, String::new()),
            end @ (End::Divisible(_) | End::AllRefused(_)) => {
                let (delivered, open) = settle_told_apart(attempts, part, &request);
                if delivered > 0 {
                    course.taken();
                }
                let (over, why) = match (end, open) {
                    (End::Divisible(why), Some(open)) => (course.refused(open), why),
                    (End::AllRefused(why), open) => (course.all_refused(open), why),
                    _ => continue,
                };
                (over, Refused::All, reason::SINK, why)
            }
            // One that stands alone counts among those that the bisection has tried.
            End::Refused(why) if items == 1 => (course.refused(part), Refused::All, reason::SINK, why),
            End::Refused(why) => (vec![part], Refused::All, reason::SINK, why),
            End::GivenUp(refused, cause, why) => (vec![part], refused, cause, why),
        };
        if !why.is_empty() {
            attempts.complaints.dropped(&why);
        }
        for part in over {
            let items = part.request.items;
            let lost = refused.count(items);
            attempts.count(items, lost);
            loss.add(lost, &why);
            part.settle(&refused, cause, &why);
        }
    }
    if let Some(trust) = course.trusts() {
        attempts.trust.store(trust, Relaxed);
    }
    if loss.items > 0 && !loss.why.is_empty() {
        let (id, items, why) = (&attempts.destination.id, loss.items, &loss.why);
        tracing::error!(exporter = %id, dropped_items = items, reason = %why, kept = queue.dead_letters().is_some(), "Exporting failed. Dropping data.");
    }
    let give_up = || stop.drain.is_requested() || stop.deadline.is_requested();
    let letters = queue.dead_letters().map(|(_, letters)| letters);
    if !settling.end(letters.as_deref(), give_up).await {
        attempts.left_behind.request();
    }
}

/// Settles what the exporter has told apart; says how much of it the sink has, and gives back what is open.
fn settle_told_apart(attempts: &Attempts, part: Taken, request: &Request) -> (usize, Option<Taken>) {
    let Some(progress) = request.told_apart() else { return (0, Some(part)) };
    let standing = progress.standing();
    let (settled, open) = part.settle_told_apart(&standing);
    if !settled {
        return (0, open);
    }
    let rejected = standing.rejected.len();
    attempts.rejected_some(rejected, &standing.reason);
    attempts.count(standing.delivered + rejected, rejected);
    (standing.delivered, open)
}

/// Repeats attempts until a part is over.
async fn attempt(attempts: &Attempts, part: &Taken, request: &Request, started: Instant, stop: &Stop) -> End {
    let Stop { drain, deadline, leave } = stop;
    let retry = &attempts.destination.delivery.retry_on_failure;
    let mut backoff = Backoff::new(retry);
    loop {
        let outcome = tokio::select! {
            biased;
            () = deadline.requested() => None,
            // What is on disk need not be tried again after another attempt has failed in the drain.
            () = attempts.left_behind.requested(), if part.is_durable() => None,
            outcome = async {
                let turn = tokio::select! {
                    biased;
                    () = leave.requested() => return None,
                    turn = attempts.circuit.turn(drain) => turn,
                };
                let outcome = attempts.attempt(request).await;
                Some((turn, outcome))
            } => outcome,
        };
        let Some((turn, outcome)) = outcome else { return End::Interrupted(undelivered(request)) };
        let (after, why) = match outcome {
            Outcome::Retry { after, reason } => (after, reason),
            other => {
                attempts.circuit.answered();
                return ended(request, other);
            }
        };
        let draining = drain.is_requested();
        let told = attempts.circuit.failed(turn, after, draining);
        if leave.is_requested() || deadline.is_requested() || (draining && part.is_durable()) {
            return End::Interrupted(undelivered(request));
        }
        if let Some(cause) = gives_up(retry, started) {
            return End::GivenUp(undelivered(request), cause, why);
        }
        if let Some(delay) = told {
            // The circuit waits.
            attempts.complaints.about(&format!("{why} (one attempt at a time until it works)"), delay);
            continue;
        }
        let mut delay = backoff.next(after);
        if draining {
            delay = delay.min(DRAIN_RETRY);
        }
        attempts.complaints.about(&why, delay);
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = drain.requested(), if !draining => {}
            () = deadline.requested() => {}
            () = leave.requested() => {}
        }
    }
}

/// What an answer means that is no retry.
fn ended(request: &Request, outcome: Outcome) -> End {
    // Items that the exporter has told apart.
    let known = request.told_apart().and_then(|progress| progress.rejected());
    match outcome {
        Outcome::Delivered => End::Taken(Refused::Nothing, String::new()),
        Outcome::Partial { rejected, reason } => {
            let refused = match known {
                Some(these) if these.len() == rejected => Refused::These(these),
                _ if rejected >= request.items() => Refused::All,
                _ => Refused::Some(rejected),
            };
            End::Taken(refused, reason)
        }
        Outcome::Reject { reason } if known.is_some() => End::Refused(reason),
        // A retry is handled by whoever calls.
        Outcome::Reject { reason } | Outcome::Retry { reason, .. } => End::Divisible(reason),
        Outcome::Refuse { reason } => End::AllRefused(reason),
    }
}

/// What the sink is not known to have.
fn undelivered(request: &Request) -> Refused {
    match request.told_apart() {
        Some(progress) => Refused::These(progress.undelivered()),
        None => Refused::All,
    }
}

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

impl Loss {
    fn add(&mut self, items: usize, why: &str) {
        self.items += items;
        if self.why.is_empty() {
            why.clone_into(&mut self.why);
        }
    }
}
