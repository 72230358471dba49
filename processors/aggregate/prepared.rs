//! `Prepared`: what is found out about the records of a batch before they are judged, outside the lock.
//!
//! Promise: memory is kept for the next batch of the thread, up to a bound, so that a usual batch allocates nothing.

use super::{
    groups::{Fate, Groups},
    key::Fields,
};
use lanner_conditions::{Condition, Seen};
use lanner_engine::{
    event::LogGroup,
    prelude::*,
    semantics,
    stage::{Effects, Now},
};
use std::{cell::RefCell, ops::Range};

/// Bytes of keys that are kept between batches.
const KEPT: usize = 1 << 20;

thread_local! {
    static PREPARED: RefCell<Prepared> = RefCell::default();
}

/// Calls `work` with the thread's own.
pub fn with_prepared<T>(work: impl FnOnce(&mut Prepared) -> T) -> T {
    PREPARED.with_borrow_mut(|prepared| {
        let result = work(prepared);
        if prepared.keys.capacity() > KEPT || prepared.places.capacity() > KEPT / size_of::<Place>() {
            *prepared = Prepared::default();
        }
        result
    })
}

/// Where a record's key is; `None` when it takes no part.
type Place = Option<Range<usize>>;

/// What is found out about the records of a batch before they are judged.
#[derive(Default)]
pub struct Prepared {
    keys: Vec<u8>,
    /// For each record.
    places: Vec<Place>,
    /// For each record whether it passes.
    passing: Vec<bool>,
}

impl Prepared {
    /// Begins with a batch.
    pub fn fill(&mut self, logs: &Logs, condition: Option<&Condition>, fields: &Fields) {
        self.keys.clear();
        self.places.clear();
        self.passing.clear();
        for LogGroup { resource, records, .. } in &logs.groups {
            for record in records {
                let seen = Seen { resource, record };
                let takes_part =
                    condition.map_or_else(|| semantics::is_alert(record), |condition| condition.holds(seen));
                self.places.push(takes_part.then(|| fields.append(seen, &mut self.keys)));
            }
        }
    }

    /// Judges every record. Returns the summaries that are due.
    pub fn judge(&mut self, logs: &Logs, groups: &mut Groups, effects: &mut Effects, now: Now) -> Logs {
        let mut due = Logs::default();
        let mut places = self.places.iter();
        for LogGroup { resource, records, .. } in &logs.groups {
            for (record, place) in records.iter().zip(&mut places) {
                let key = place.as_ref().map(|place| self.keys.get(place.clone()).unwrap_or_default());
                self.passing.push(if effects.is_repeat(record) {
                    groups.cells.repeated.add(1);
                    false
                } else if let Some(key) = key {
                    groups.judge(key, Seen { resource, record }, now, &mut due) == Fate::Pass
                } else {
                    groups.cells.bypassed.add(1);
                    true
                });
            }
        }
        due
    }

    /// How many pass, of how many.
    pub fn passing(&self) -> (usize, usize) {
        (self.passing.iter().filter(|pass| **pass).count(), self.passing.len())
    }

    /// The records that pass.
    pub fn rest(&self, logs: &Logs) -> Logs {
        let mut passing = self.passing.iter();
        let groups = logs.groups.iter().map(|group| LogGroup {
            resource: group.resource.clone(),
            scope: group.scope.clone(),
            records: group
                .records
                .iter()
                .zip(&mut passing)
                .filter(|(_, pass)| **pass)
                .map(|(record, _)| record.clone())
                .collect(),
        });
        Logs { groups: groups.filter(|group| !group.records.is_empty()).collect() }
    }
}
