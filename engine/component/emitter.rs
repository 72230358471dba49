//! `Emitter`: where a transform puts what is left of a batch, and the reasons for what is not.

use crate::event::{Batch, LogGroup, LogRecord, Resource};
use smallvec::SmallVec;

/// Items by constant reason.
pub(crate) type Counts = SmallVec<[(&'static str, usize); 2]>;

/// Collects the output of one transform.
pub struct Emitter<'a> {
    pub(crate) emitted: &'a mut SmallVec<[Batch; 1]>,
    pub(crate) discarded: &'a mut Counts,
    pub(crate) degraded: &'a mut Counts,
    pub(crate) created: &'a mut usize,
}

impl Emitter<'_> {
    /// Passes a batch on.
    pub fn emit(&mut self, batch: Batch) {
        if !batch.is_empty() {
            self.emitted.push(batch);
        }
    }

    /// Says that `items` were left out on purpose. The reason is part of a metric: a constant, not event data.
    pub fn discard(&mut self, items: usize, reason: &'static str) {
        count(self.discarded, items, reason);
    }

    /// Says that something was odd about `items` that are passed on all the same, as the metric
    /// `lanner_processor_degraded`. The reason is a constant, as above; an item may have several.
    pub fn degraded(&mut self, items: usize, reason: &'static str) {
        count(self.degraded, items, reason);
    }

    /// Says that `items` among those passed on did not come in but were made here.
    pub fn created(&mut self, items: usize) {
        *self.created += items;
    }

    /// Passes on the records for which `judge` finds no reason to discard them.
    pub fn emit_unless(
        &mut self,
        mut batch: Batch,
        mut judge: impl FnMut(&Resource, &LogRecord) -> Option<&'static str>,
    ) {
        // Looks first, so that a batch that stays whole is not copied when another branch shares it.
        let mut fails = |group: &LogGroup| group.records.iter().any(|record| judge(&group.resource, record).is_some());
        if batch.as_logs().is_some_and(|logs| logs.groups.iter().any(&mut fails))
            && let Some(logs) = batch.as_logs_mut()
        {
            for group in &mut logs.groups {
                let resource = &group.resource;
                group.records.retain(|record| match judge(resource, record) {
                    Some(reason) => {
                        self.discard(1, reason);
                        false
                    }
                    None => true,
                });
            }
            logs.groups.retain(|group| !group.records.is_empty());
        }
        self.emit(batch);
    }
}

fn count(counts: &mut Counts, items: usize, reason: &'static str) {
    if items == 0 {
        return;
    }
    match counts.iter_mut().find(|(known, _)| *known == reason) {
        Some((_, count)) => *count += items,
        None => counts.push((reason, items)),
    }
}
