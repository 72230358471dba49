//! `Emitter`: where a transform puts what is left of a batch, and the reasons for what is not.

use crate::event::{Batch, LogGroup, LogRecord, Reads, Resource, otlp::DecodeError};
use smallvec::SmallVec;

/// Items by constant reason.
pub(crate) type Counts = SmallVec<[(&'static str, usize); 2]>;

/// Collects the output of one transform.
pub struct Emitter<'a> {
    pub(crate) emitted: &'a mut SmallVec<[Batch; 1]>,
    pub(crate) discarded: &'a mut Counts,
    pub(crate) degraded: &'a mut Counts,
    pub(crate) created: &'a mut usize,
    /// Why a batch was not emitted at all.
    pub(crate) unreadable: &'a mut Option<DecodeError>,
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

    /// Passes on the records for which `judge` finds no reason to discard them. Of untouched OTLP it sees no more than `reads`
    /// names; when that cannot be read, the request is refused.
    pub fn emit_unless(
        &mut self,
        mut batch: Batch,
        reads: &Reads,
        mut judge: impl FnMut(&Resource, &LogRecord) -> Option<&'static str>,
    ) {
        // Looks first, so that a batch that stays whole is not copied when another branch shares it.
        let mut fails = |group: &LogGroup| group.records.iter().any(|record| judge(&group.resource, record).is_some());
        let retained = if batch.as_logs().is_none_or(|logs| logs.groups.iter().any(&mut fails)) {
            batch.retain(reads, |resource, record| match judge(resource, record) {
                Some(reason) => {
                    self.discard(1, reason);
                    false
                }
                None => true,
            })
        } else {
            Ok(())
        };
        self.emit_if(retained, batch);
    }

    /// Passes on all records, once `change` has changed the attributes of those that `concerns` says yes to. Of untouched
    /// OTLP both see no more than `reads` names, and `change` may touch no other attributes. The rest of these is there in
    /// entries that have no name, so that all stay in their order; when it cannot be read, the request is refused.
    pub fn emit_edited(
        &mut self,
        mut batch: Batch,
        reads: &Reads,
        concerns: impl Fn(&Resource, &LogRecord) -> bool,
        change: impl FnMut(&Resource, &mut LogRecord),
    ) {
        let edited = batch.edit(reads, concerns, change);
        self.emit_if(edited, batch);
    }

    fn emit_if(&mut self, read: Result<(), DecodeError>, batch: Batch) {
        match read {
            Ok(()) => self.emit(batch),
            Err(error) => *self.unreadable = Some(error),
        }
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
