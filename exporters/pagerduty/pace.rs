//! How often PagerDuty is called, and which alerts still wait for a trigger that failed.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

/// The span in which PagerDuty counts calls, and a little more for the way there.
const SPAN: Duration = Duration::from_secs(61);
/// How long a resolve waits at most for a trigger that failed. The engine repeats it every 45 s, or when PagerDuty says.
const OWED: Duration = Duration::from_secs(15 * 60);
/// Most alerts that are remembered so.
const MOST_OWED: usize = 10_000;

/// The calls of the last [`SPAN`].
pub struct Window {
    most: usize,
    calls: VecDeque<Instant>,
}

impl Window {
    /// A window with room for so many calls.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), calls: VecDeque::new() }
    }

    /// When the next call may be made.
    pub fn next(&self) -> Instant {
        let now = Instant::now();
        match self.calls.front() {
            Some(first) if self.calls.len() >= self.most => now.max(*first + SPAN),
            _ => now,
        }
    }

    /// Counts a call.
    pub fn called(&mut self) {
        if self.calls.len() >= self.most {
            self.calls.pop_front();
        }
        self.calls.push_back(Instant::now());
    }
}

/// Alerts of which a trigger failed and comes again: they are not resolved before it.
#[derive(Default)]
pub struct Owed(HashMap<String, Instant>);

impl Owed {
    /// A trigger failed.
    pub fn note(&mut self, key: &str) {
        let now = Instant::now();
        if self.0.len() >= MOST_OWED {
            self.0.retain(|_, until| *until > now);
        }
        if self.0.len() < MOST_OWED {
            self.0.insert(key.to_owned(), now + OWED);
        }
    }

    /// A trigger arrived, or never will.
    pub fn settle(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// Whether a trigger is awaited.
    pub fn has(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|until| *until > Instant::now())
    }
}
