//! The line in front of PagerDuty: what waits, by the alert it belongs to.
//!
//! Promises: what belongs to one alert leaves in the order in which it came; triggers of one alert that wait together leave as
//! one event, which shows the most urgent of them and counts them all; of the alerts, the most urgent goes first.

use crate::handover::Ticket;
use lanner_engine::{prelude::*, semantics::priority};
use parking_lot::Mutex;
use std::{
    cmp::Reverse,
    collections::{HashMap, VecDeque},
    sync::Arc,
};
use tokio::sync::Notify;

/// What to do with an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Trigger,
    Resolve,
}

/// One event to send.
pub struct Step {
    pub action: Action,
    pub resource: Arc<Resource>,
    /// The most urgent of those it stands for, and of equally urgent ones the latest.
    pub record: LogRecord,
    pub tickets: Vec<Ticket>,
}

/// The line.
#[derive(Default)]
pub struct Line {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    alerts: HashMap<String, Alert>,
    arrivals: u64,
}

struct Alert {
    arrived: u64,
    /// Never empty, and no two of the same action behind each other.
    steps: VecDeque<Step>,
}

impl Line {
    /// Puts a record behind what waits for the same alert.
    pub fn add(&self, key: String, action: Action, resource: &Arc<Resource>, record: &LogRecord, ticket: Ticket) {
        let mut waiting = self.waiting.lock();
        waiting.arrivals += 1;
        let arrived = waiting.arrivals;
        let alert = waiting.alerts.entry(key).or_insert_with(|| Alert { arrived, steps: VecDeque::new() });
        match alert.steps.back_mut().filter(|step| step.action == action) {
            Some(step) => {
                step.tickets.push(ticket);
                if priority(record) >= priority(&step.record) {
                    (step.resource, step.record) = (Arc::clone(resource), record.clone());
                }
            }
            None => alert.steps.push_back(Step {
                action,
                resource: Arc::clone(resource),
                record: record.clone(),
                tickets: vec![ticket],
            }),
        }
        self.arrived.notify_one();
    }

    /// Takes what goes next. What nobody waits for any more is left out; alerts of which a trigger went so are told to
    /// `lapsed`, because the engine will bring it again.
    pub fn next(&self, mut lapsed: impl FnMut(&str)) -> Option<(String, Step)> {
        let mut waiting = self.waiting.lock();
        waiting.alerts.retain(|key, alert| {
            alert.steps.retain_mut(|step| {
                step.tickets.retain_mut(Ticket::is_wanted);
                if step.tickets.is_empty() && step.action == Action::Trigger {
                    lapsed(key);
                }
                !step.tickets.is_empty()
            });
            !alert.steps.is_empty()
        });
        let urgency =
            |alert: &Alert| (Reverse(alert.steps.front().and_then(|step| priority(&step.record))), alert.arrived);
        let key = waiting.alerts.iter().min_by_key(|(_, alert)| urgency(alert)).map(|(key, _)| key.clone())?;
        let alert = waiting.alerts.get_mut(&key)?;
        let step = alert.steps.pop_front()?;
        if alert.steps.is_empty() {
            waiting.alerts.remove(&key);
        }
        Some((key, step))
    }

    /// Puts back what could not be sent yet; it goes first among what waits for its alert.
    pub fn put_back(&self, key: String, step: Step) {
        let mut waiting = self.waiting.lock();
        let alert = waiting.alerts.entry(key).or_insert_with(|| Alert { arrived: 0, steps: VecDeque::new() });
        alert.arrived = 0;
        match alert.steps.front_mut().filter(|next| next.action == step.action) {
            Some(next) => next.tickets.extend(step.tickets),
            None => alert.steps.push_front(step),
        }
        self.arrived.notify_one();
    }

    /// Whether something waits for this alert.
    pub fn has(&self, key: &str) -> bool {
        self.waiting.lock().alerts.contains_key(key)
    }

    /// Takes everything.
    pub fn clear(&self) -> Vec<(String, Step)> {
        let waiting = std::mem::take(&mut self.waiting.lock().alerts);
        let steps = waiting.into_iter().map(|(key, alert)| (key, alert.steps));
        steps.flat_map(|(key, steps)| steps.into_iter().map(move |step| (key.clone(), step))).collect()
    }

    /// Returns once something waits. Cancel-safe.
    pub async fn arrived(&self) {
        loop {
            if !self.waiting.lock().alerts.is_empty() {
                return;
            }
            self.arrived.notified().await;
        }
    }
}
