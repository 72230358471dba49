//! The task that sends: one event at a time.
//!
//! Promises: at most `max_per_minute` calls in any 60 seconds, those that fail included; nothing is sent before a time that
//! PagerDuty named; an alert is never resolved in front of a trigger that came earlier, also when the engine has to bring
//! that trigger again; whatever a call brought is settled by its verdict, in every case.

use super::{
    client::{Api, Verdict},
    event::Look,
    line::{Action, Line, Step},
    open::Open,
    pace::{Owed, Window},
};
use crate::{
    handover::Ticket,
    pause::{Pause, Wait},
};
use lanner_engine::telemetry::{Counter, Gauge};
use std::time::Duration;
use tokio::sync::Mutex;

/// How long to wait when PagerDuty does not say.
const UNNAMED_WAIT: Duration = Duration::from_secs(30);
/// Between two attempts to resolve an alert.
const RESOLVE_AGAIN: Duration = Duration::from_secs(30);
/// How long the engine may take to bring a trigger that failed.
const COMES_AGAIN: Duration = Duration::from_secs(60);
/// When a resolve that must wait for a trigger is brought again.
const AFTER_TRIGGER: Duration = Duration::from_secs(10);

/// Sends what is in the line, and resolves what is quiet.
pub struct Sender {
    pub line: Line,
    pub api: Box<dyn Api>,
    pub look: Look,
    /// Held by the task as long as it runs; none when alerts are not resolved by time.
    pub open: Mutex<Option<Open>>,
    pub max_per_minute: usize,
    pub pause: Pause,
    pub cells: Cells,
}

/// Own metrics.
pub struct Cells {
    pub triggers: Counter,
    pub resolves: Counter,
    pub joined: Counter,
    pub limited: Counter,
    pub open: Gauge,
}

impl Sender {
    /// Sends for ever.
    pub async fn run(&self) {
        let mut open = self.open.lock().await;
        let mut turn = Turn { sender: self, open: open.as_mut(), owed: Owed::default() };
        let mut window = Window::new(self.max_per_minute);
        let mut was_step = false;
        loop {
            turn.wait().await;
            tokio::time::sleep_until(self.pause.not_before(window.next())).await;
            // Chosen now, so that the most urgent one goes first. A storm does not keep alerts from being resolved.
            let resolved = was_step && turn.resolve().await;
            was_step = !resolved && turn.step().await;
            if resolved || was_step || turn.resolve().await {
                window.called();
            }
        }
    }
}

/// What the task has in its hands.
struct Turn<'s> {
    sender: &'s Sender,
    open: Option<&'s mut Open>,
    owed: Owed,
}

impl Turn<'_> {
    /// Returns once there may be something to do.
    async fn wait(&self) {
        let open = self.open.as_deref();
        self.sender.cells.open.set(open.map_or(0, |open| i64::try_from(open.len()).unwrap_or(i64::MAX)));
        let quiet = async {
            match open.and_then(Open::next_due) {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.sender.line.arrived() => {}
            () = quiet => {}
        }
    }

    /// Sends what goes next in the line; whether PagerDuty was called.
    async fn step(&mut self) -> bool {
        let owed = &mut self.owed;
        let Some((key, step)) = self.sender.line.next(|lapsed| owed.note(lapsed)) else { return false };
        let event = match step.action {
            Action::Trigger => {
                self.note(&key, Duration::ZERO).await;
                self.sender.look.trigger(&key, &step.resource, &step.record, step.tickets.len())
            }
            Action::Resolve if self.owed.has(&key) => {
                let reason = "an earlier event of the same alert comes first";
                step.tickets.into_iter().for_each(|ticket| ticket.retry(Some(AFTER_TRIGGER), reason));
                return false;
            }
            Action::Resolve => self.sender.look.resolve(&key),
        };
        match self.sender.api.call(&event).await {
            Verdict::Accepted => self.accepted(&key, step).await,
            Verdict::Refused { reason } => {
                self.owed.settle(&key);
                step.tickets.into_iter().for_each(|ticket| ticket.rejected(&reason));
            }
            Verdict::Later { reason } => self.hand_back(&key, step, None, &reason).await,
            Verdict::Limited { wait, reason } => {
                let wait = self.limited(wait);
                self.sender.line.put_back(key, step);
                if self.sender.pause.begin(wait) == Wait::Engine {
                    for (key, step) in self.sender.line.clear() {
                        self.hand_back(&key, step, Some(wait), &reason).await;
                    }
                }
            }
        }
        true
    }

    /// Resolves an alert that is quiet; whether PagerDuty was called.
    async fn resolve(&mut self) -> bool {
        let Some(open) = self.open.as_deref_mut() else { return false };
        let Some(key) = open.quiet() else { return false };
        if self.sender.line.has(&key) || self.owed.has(&key) {
            open.later(&key, RESOLVE_AGAIN);
            return false;
        }
        match self.sender.api.call(&self.sender.look.resolve(&key)).await {
            Verdict::Accepted => {
                self.sender.cells.resolves.add(1);
                open.closed(&key).await;
            }
            Verdict::Refused { reason } => {
                tracing::warn!(%reason, "PagerDuty refused to resolve an alert; it stays open there");
                open.closed(&key).await;
            }
            Verdict::Later { reason } => {
                tracing::warn!(%reason, "resolving an alert at PagerDuty failed and is tried again");
                open.later(&key, RESOLVE_AGAIN);
            }
            Verdict::Limited { wait, .. } => {
                open.later(&key, RESOLVE_AGAIN);
                let wait = self.limited(wait);
                self.sender.pause.begin(wait);
            }
        }
        true
    }

    async fn accepted(&mut self, key: &str, step: Step) {
        let cells = &self.sender.cells;
        match step.action {
            Action::Trigger => {
                cells.triggers.add(1);
                cells.joined.add(step.tickets.len().saturating_sub(1) as u64);
                self.owed.settle(key);
            }
            Action::Resolve => {
                cells.resolves.add(1);
                if let Some(open) = self.open.as_deref_mut() {
                    open.closed(key).await;
                }
            }
        }
        step.tickets.into_iter().for_each(Ticket::delivered);
    }

    /// Gives a step back to the engine, which brings it again.
    async fn hand_back(&mut self, key: &str, step: Step, after: Option<Duration>, reason: &str) {
        if step.action == Action::Trigger {
            self.owed.note(key);
            self.note(key, after.unwrap_or_default() + COMES_AGAIN).await;
        }
        step.tickets.into_iter().for_each(|ticket| ticket.retry(after, reason));
    }

    async fn note(&mut self, key: &str, longer: Duration) {
        if let Some(open) = self.open.as_deref_mut() {
            open.note(key, longer).await;
        }
    }

    fn limited(&self, wait: Option<Duration>) -> Duration {
        self.sender.cells.limited.add(1);
        wait.unwrap_or(UNNAMED_WAIT)
    }
}
