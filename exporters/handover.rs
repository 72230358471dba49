//! Handing the items of a request to a task that sends them one by one, at a pace of its own: what [`export`] and
//! [`until_drained`] do for the exporters that work that way.
//!
//! Promises: an item is settled once, and what is settled stays so when the attempt is given up (the request's
//! [`Progress`] outlives it); a ticket that is dropped unsettled counts as a failure, never as success; when one item of
//! a request must be tried again, the call ends at once, and its other items that still wait are no longer wanted: the
//! engine brings them back with the next attempt.

use crate::pause::Pause;
use lanner_engine::{
    component::{Progress, Settled},
    event::LogGroup,
    prelude::*,
};
use parking_lot::Mutex;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::sync::Notify;

/// One call of `export`.
struct Call {
    progress: Arc<Progress>,
    state: Mutex<State>,
    over: Notify,
}

struct State {
    /// Tickets that are not settled.
    open: usize,
    /// What the call came to.
    outcome: Option<Outcome>,
}

impl Call {
    fn end(&self, outcome: Outcome) {
        self.state.lock().outcome.get_or_insert(outcome);
        self.over.notify_one();
    }
}

/// One item of a request: whoever holds it owes it an answer.
#[must_use = "an item that is dropped is tried again"]
pub struct Ticket {
    call: Arc<Call>,
    item: usize,
    settled: bool,
}

/// What an export call waits on. Dropped (a time limit of the engine), its items are no longer wanted.
struct Waiting(Arc<Call>);

/// What is left to do of a request.
enum Handover {
    /// Nothing: earlier attempts did it all.
    Done(Outcome),
    /// The items that are open, by their number, and the call that waits for them.
    Open(Vec<Ticket>, Waiting),
}

/// One attempt at a request: `line_up` gets each record that is open, with its ticket; then the tickets are waited for. While
/// the `sink` has asked for a `pause` that is long, the engine keeps the request.
pub async fn export(
    request: &Request,
    (pause, sink): (&Pause, &str),
    line_up: impl FnMut(&LogGroup, &LogRecord, Ticket),
) -> Outcome {
    if let Some(left) = pause.for_engine() {
        return Outcome::Retry { after: Some(left), reason: format!("{sink} asked to wait") };
    }
    let logs = match request.logs() {
        Ok(logs) => logs,
        Err(error) => return Outcome::Reject { reason: error.to_string() },
    };
    match hand_over(request) {
        Handover::Done(outcome) => outcome,
        Handover::Open(tickets, waiting) => {
            each(logs, tickets, line_up);
            waiting.outcome().await
        }
    }
}

/// The records that tickets are for.
fn each(logs: &Logs, tickets: Vec<Ticket>, mut line_up: impl FnMut(&LogGroup, &LogRecord, Ticket)) {
    let records = logs.groups.iter().flat_map(|group| group.records.iter().map(move |record| (group, record)));
    let mut tickets = tickets.into_iter().peekable();
    for (item, (group, record)) in records.enumerate() {
        if let Some(ticket) = tickets.next_if(|ticket| ticket.item() == item) {
            line_up(group, record, ticket);
        }
    }
    // Records that the bytes do not hold, though the request counts them.
    tickets.for_each(|ticket| ticket.rejected("the request holds fewer records than it says"));
}

/// Runs the task that the tickets go to. By the time of a drain the last export has ended.
///
/// # Errors
/// None; the shape of [`Exporter::run`].
pub async fn until_drained(task: impl Future<Output = ()>, drain: Drain) -> Result<(), BoxError> {
    tokio::select! {
        () = task => {}
        () = drain.requested() => {}
    }
    Ok(())
}

/// Makes tickets for the items that earlier attempts left open.
fn hand_over(request: &Request) -> Handover {
    let progress = Arc::clone(request.progress());
    if let Some(outcome) = progress.outcome() {
        return Handover::Done(outcome);
    }
    let open = progress.open();
    let state = Mutex::new(State { open: open.len(), outcome: None });
    let call = Arc::new(Call { progress, state, over: Notify::new() });
    let ticket = |item| Ticket { call: Arc::clone(&call), item, settled: false };
    let tickets = open.into_iter().map(ticket).collect();
    Handover::Open(tickets, Waiting(call))
}

impl Ticket {
    /// The item's number in its request.
    fn item(&self) -> usize {
        self.item
    }

    /// Whether anybody still waits for it, and nobody else has settled it. If not, it is to be dropped.
    pub fn is_wanted(&mut self) -> bool {
        // A call that an earlier attempt began may have ended since.
        if !self.settled && !self.call.progress.is_open(self.item) {
            self.count_down();
        }
        !self.settled && self.call.state.lock().outcome.is_none()
    }

    /// The sink has the item.
    pub fn delivered(self) {
        self.settle(Settled::Delivered);
    }

    /// The sink will never take the item.
    pub fn rejected(self, reason: &str) {
        self.settle(Settled::Rejected { reason: reason.to_owned() });
    }

    /// The item must be tried again, not before `after`.
    pub fn retry(mut self, after: Option<Duration>, reason: &str) {
        self.settled = true;
        self.call.end(Outcome::Retry { after, reason: reason.to_owned() });
    }

    fn settle(mut self, settled: Settled) {
        self.call.progress.settle(self.item, settled);
        self.count_down();
    }

    fn count_down(&mut self) {
        self.settled = true;
        let open = {
            let mut state = self.call.state.lock();
            state.open = state.open.saturating_sub(1);
            state.open
        };
        if open == 0
            && let Some(outcome) = self.call.progress.outcome()
        {
            self.call.end(outcome);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.settled {
            self.call.end(Outcome::Retry { after: None, reason: "the sending task stopped".to_owned() });
        }
    }
}

impl Waiting {
    /// Returns once every item is settled or one must be tried again.
    async fn outcome(self) -> Outcome {
        loop {
            if let Some(outcome) = self.0.state.lock().outcome.clone() {
                return outcome;
            }
            self.0.over.notified().await;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.end(Outcome::Retry { after: None, reason: "given up".to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::logs;

    fn open(request: &Request) -> (Vec<Ticket>, Waiting) {
        match hand_over(request) {
            Handover::Open(tickets, waiting) => (tickets, waiting),
            Handover::Done(outcome) => panic!("{outcome:?}"),
        }
    }

    /// Scenario: of three items one is delivered, one must be tried again, one still waits; then the next attempt.
    /// Guarantee: the call ends with the retry, the waiting item is no longer wanted, and only what is open comes back.
    #[tokio::test]
    async fn what_is_settled_is_not_handed_over_again() {
        let request = logs(3);
        let (mut tickets, waiting) = open(&request);
        let (third, second, first) = (tickets.pop().unwrap(), tickets.pop().unwrap(), tickets.pop().unwrap());
        first.delivered();
        let mut third = third;
        assert!(third.is_wanted());
        second.retry(Some(Duration::from_secs(7)), "busy");
        assert!(!third.is_wanted());
        assert_eq!(
            waiting.outcome().await,
            Outcome::Retry { after: Some(Duration::from_secs(7)), reason: "busy".into() }
        );
        // It was on its way when the call ended.
        third.rejected("bad");
        let (tickets, waiting) = open(&request);
        assert_eq!(tickets.iter().map(Ticket::item).collect::<Vec<_>>(), [1]);
        tickets.into_iter().for_each(Ticket::delivered);
        let outcome = Outcome::Partial { rejected: 1, reason: "bad".into() };
        assert_eq!(waiting.outcome().await, outcome);
        assert!(matches!(hand_over(&request), Handover::Done(done) if done == outcome));
    }

    /// Scenario: an attempt is given up while its item is on its way, and the next one hands the item over before it arrives.
    /// Guarantee: once it has arrived it is not wanted again, and the call ends with success.
    #[tokio::test]
    async fn what_is_on_its_way_is_not_sent_again() {
        let request = logs(1);
        let (mut on_its_way, waiting) = open(&request);
        drop(waiting);
        let (mut again, waiting) = open(&request);
        assert!(again[0].is_wanted());
        on_its_way.remove(0).delivered();
        assert!(!again[0].is_wanted());
        assert_eq!(waiting.outcome().await, Outcome::Delivered);
    }

    /// Scenario: the engine gives an attempt up; the sending task is gone.
    /// Guarantee: the items are no longer wanted; the call ends with a retry and never hangs.
    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let request = logs(2);
        let (mut tickets, waiting) = open(&request);
        drop(waiting);
        assert!(!tickets[0].is_wanted());
        let (tickets, waiting) = open(&request);
        drop(tickets);
        assert!(matches!(waiting.outcome().await, Outcome::Retry { .. }));
    }
}
