//! The line in front of the channel: what waits, and what goes next.
//!
//! Promises: at most `capacity` records wait for a message of their own, the most urgent ones, and of equally urgent ones
//! the earliest; every other one waits to be counted in a digest, and none waits outside of these two; when both are there
//! they take turns, so that neither a flood hides an urgent alert nor urgent alerts hold up the digest.

use super::digest::Folded;
use crate::handover::Ticket;
use lanner_engine::{
    prelude::*,
    semantics::{keys, priority},
};
use parking_lot::Mutex;
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};
use tokio::{sync::Notify, time::Instant};

/// A record that waits for a message of its own.
pub struct Notice {
    pub resource: Arc<Resource>,
    pub record: LogRecord,
    pub arrived: Instant,
    /// What it belongs to, where such things share a thread.
    pub thread: Option<String>,
    /// It tells the state of what it belongs to, so a newer one takes its place.
    pub is_report: bool,
    /// Its own and those of the reports whose place it took.
    pub tickets: Vec<Ticket>,
}

/// What to post next.
pub enum Job {
    One(Rank, Box<Notice>),
    Digest(Vec<Folded>),
}

/// More urgent first, reports before alerts, then in the order of arrival.
pub type Rank = (Reverse<Option<Priority>>, bool, u64);

/// The line.
pub struct Line {
    capacity: usize,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    own: BTreeMap<Rank, Box<Notice>>,
    folded: Vec<Folded>,
    digest_next: bool,
    arrivals: u64,
}

impl Line {
    /// A line in which so many wait for a message of their own; at least one.
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), waiting: Mutex::default(), arrived: Notify::new() }
    }

    /// Puts a record at its place. `notice` is only made when there is a place for it.
    pub fn add(&self, record: &LogRecord, is_report: bool, ticket: Ticket, notice: impl FnOnce(Ticket) -> Notice) {
        let mut waiting = self.waiting.lock();
        let waiting = &mut *waiting;
        let priority = priority(record);
        waiting.arrivals += 1;
        let rank = (Reverse(priority), !is_report, waiting.arrivals);
        if waiting.own.len() >= self.capacity {
            waiting.own.retain(|_, notice| notice.tickets.iter_mut().any(Ticket::is_wanted));
        }
        let is_urgent_enough =
            waiting.own.len() < self.capacity || waiting.own.last_key_value().is_some_and(|(last, _)| rank < *last);
        if is_urgent_enough {
            waiting.place(rank, Box::new(notice(ticket)));
        } else {
            waiting.folded.push(Folded { rule: rule(record), priority, arrived: Instant::now(), ticket });
        }
        while waiting.own.len() > self.capacity
            && let Some(((Reverse(priority), ..), notice)) = waiting.own.pop_last()
        {
            let Notice { record, arrived, tickets, .. } = *notice;
            let rule = rule(&record);
            let folded = |ticket| Folded { rule: rule.clone(), priority, arrived, ticket };
            waiting.folded.extend(tickets.into_iter().map(folded));
        }
        self.arrived.notify_one();
    }

    /// Takes what goes next; what nobody waits for any more is left out.
    pub fn next(&self) -> Option<Job> {
        let mut waiting = self.waiting.lock();
        let waiting = &mut *waiting;
        waiting.folded.retain_mut(|folded| folded.ticket.is_wanted());
        waiting.own.retain(|_, notice| {
            notice.tickets.retain_mut(Ticket::is_wanted);
            !notice.tickets.is_empty()
        });
        if !waiting.folded.is_empty() && (waiting.digest_next || waiting.own.is_empty()) {
            waiting.digest_next = false;
            return Some(Job::Digest(std::mem::take(&mut waiting.folded)));
        }
        let (rank, notice) = waiting.own.pop_first()?;
        waiting.digest_next = true;
        Some(Job::One(rank, notice))
    }

    /// Puts back what could not be posted yet; it goes next.
    pub fn put_back(&self, job: Job) {
        let mut waiting = self.waiting.lock();
        match job {
            Job::One(rank, notice) => {
                waiting.digest_next = false;
                waiting.place(rank, notice);
            }
            Job::Digest(folded) => {
                waiting.digest_next = true;
                waiting.folded.extend(folded);
            }
        }
        self.arrived.notify_one();
    }

    /// Takes everything.
    pub fn clear(&self) -> Vec<Ticket> {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        let own = waiting.own.into_values().flat_map(|notice| notice.tickets);
        own.chain(waiting.folded.into_iter().map(|folded| folded.ticket)).collect()
    }

    /// Returns once something may wait. Cancel-safe.
    pub async fn arrived(&self) {
        loop {
            {
                let waiting = self.waiting.lock();
                if !waiting.own.is_empty() || !waiting.folded.is_empty() {
                    return;
                }
            }
            self.arrived.notified().await;
        }
    }
}

impl Waiting {
    /// A report takes the place of an older one about the same.
    fn place(&mut self, rank: Rank, notice: Box<Notice>) {
        let is_same = |other: &Notice| other.is_report && other.thread == notice.thread;
        let same = self.own.iter().find(|(_, other)| notice.is_report && notice.thread.is_some() && is_same(other));
        let Some((known, other)) = same.map(|(known, _)| *known).and_then(|known| self.own.remove_entry(&known)) else {
            self.own.insert(rank, notice);
            return;
        };
        // One that is put back may be the older one.
        let (mut newer, older) = if rank.2 > known.2 { (notice, other) } else { (other, notice) };
        newer.tickets.extend(older.tickets);
        self.own.insert(rank.min(known), newer);
    }
}

fn rule(record: &LogRecord) -> Text {
    match record.attrs.get(&keys::RULE) {
        Some(Value::Text(rule)) => rule.clone(),
        _ if record.event_name.is_empty() => Text::from_static("log record"),
        _ => record.event_name.clone(),
    }
}
