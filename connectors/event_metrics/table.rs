//! `Table`: the series of all metrics that count the same events by the same labels.
//!
//! Promises: every event is counted in exactly one series; the number of series is bounded, what is over the bound
//! is counted in one overflow series; a series that comes back after it expired starts anew, with a new start
//! time; a series expires only after its last value was handed on. Counting in a known series is one hash lookup
//! without allocation. Why one table for several metrics: `falco.alerts` and its last-seen time have the same
//! labels, so an alert is looked up once for both.

use super::{label::Label, recognise::Match};
use lanner_engine::{prelude::*, stage::Now};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

/// Which events are counted, and by what.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouping {
    pub events: Match,
    pub labels: Vec<Label>,
}

/// One grouping's series.
pub struct Table {
    pub grouping: Grouping,
    max_series: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Keyed by the values of the labels; the hash is seeded, so collisions cannot be prepared.
    series: HashMap<Arc<[u8]>, Cell>,
    overflow: Option<Cell>,
    /// Where keys are written, so that looking one up allocates nothing.
    scratch: Vec<u8>,
}

/// The numbers of one series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Events since `start`.
    pub count: u64,
    /// Time of the newest event, in nanoseconds since 1970; never in the future.
    pub last_seen: u64,
    /// When counting began, in nanoseconds since 1970.
    pub start: u64,
    /// When an event last came, on the monotonic clock.
    touched: u64,
}

/// A series as it is handed on. The key is `None` for the overflow series.
pub type Point = (Option<Arc<[u8]>>, Cell);

/// How many records went where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub counted: u64,
    /// Of those, in the overflow series.
    pub overflowed: u64,
}

impl Table {
    /// An empty table of at most `max_series` series besides the overflow series.
    pub fn new(grouping: Grouping, max_series: usize) -> Self {
        Self { grouping, max_series, state: Mutex::default() }
    }

    /// Counts the events of `logs` that this table is about, and marks them in `seen`, one flag per record.
    pub fn count(&self, logs: &Logs, now: Now, seen: &mut [bool]) -> Tally {
        let mut tally = Tally::default();
        let mut state = self.state.lock();
        let records = logs.groups.iter().flat_map(|group| group.records.iter().map(|record| (record, &group.resource)));
        for ((record, resource), seen) in records.zip(seen) {
            if self.grouping.events.matches(record) {
                *seen = true;
                tally.counted += 1;
                tally.overflowed += u64::from(self.count_one(&mut state, record, resource, now));
            }
        }
        tally
    }

    /// Returns whether the event went into the overflow series.
    fn count_one(&self, state: &mut State, record: &LogRecord, resource: &Resource, now: Now) -> bool {
        let State { series, overflow, scratch } = state;
        scratch.clear();
        for label in &self.grouping.labels {
            label.append(scratch, record, resource);
        }
        let event_time = [record.time_unix_nano, record.observed_time_unix_nano].into_iter().find(|time| *time > 0);
        let event_time = event_time.unwrap_or(now.unix).min(now.unix);
        if let Some(cell) = series.get_mut(scratch.as_slice()) {
            cell.add(event_time, now);
            return false;
        }
        if series.len() < self.max_series {
            series.insert(scratch.as_slice().into(), Cell::first(event_time, now));
            return false;
        }
        match overflow {
            Some(cell) => cell.add(event_time, now),
            None => *overflow = Some(Cell::first(event_time, now)),
        }
        true
    }

    /// All series as they are now.
    pub fn points(&self) -> Vec<Point> {
        let state = self.state.lock();
        let series = state.series.iter().map(|(key, cell)| (Some(Arc::clone(key)), *cell));
        series.chain(state.overflow.map(|cell| (None, cell))).collect()
    }

    /// Forgets series without an event since `idle_since`, on the monotonic clock; returns how many.
    pub fn expire(&self, idle_since: u64) -> usize {
        let mut state = self.state.lock();
        let before = state.series.len() + usize::from(state.overflow.is_some());
        state.series.retain(|_, cell| cell.touched >= idle_since);
        state.overflow = state.overflow.filter(|cell| cell.touched >= idle_since);
        before - state.series.len() - usize::from(state.overflow.is_some())
    }
}

impl Cell {
    fn first(event_time: u64, now: Now) -> Self {
        Self { count: 1, last_seen: event_time, start: now.unix, touched: now.monotonic }
    }

    fn add(&mut self, event_time: u64, now: Now) {
        self.count += 1;
        self.last_seen = self.last_seen.max(event_time);
        self.touched = self.touched.max(now.monotonic);
    }
}
