//! `attributes` writes, renames, removes and converts attributes of records and of their resources.
//!
//! Promises
//! - Actions run in their order, each seeing what the ones before did; the actions of `resource` come last.
//! - An action whose source has no value does nothing. Nothing is left out, nothing is made.
//! - `log.record.uid` stays: it is what links an event to its copies elsewhere.
//! - Records of a group that get different resources are grouped anew; their order stays.
//! - Where all names are known beforehand, untouched OTLP is changed in its place: nothing else of a record is decoded.

mod action;
mod config;
#[cfg(test)]
mod tests;

use action::Action;
use config::Config;
use lanner_conditions::{Condition, Seen};
use lanner_engine::{
    event::{LogGroup, Reads},
    prelude::*,
};
use std::sync::Arc;

/// The reason under which a record counts with a value that could not be converted.
const NOT_CONVERTED: &str = "not_converted";

/// The component type.
pub struct AttributesProcessor;

impl Component for AttributesProcessor {
    const TYPE: &'static str = "attributes";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

/// A checked config.
pub struct Plan {
    condition: Option<Condition>,
    /// On the attributes of records.
    actions: Vec<Action>,
    /// On those of resources.
    resource: Vec<Action>,
    /// What all of it looks at, if that is not any attribute and resources stay as they are.
    reads: Option<Reads>,
}

impl Transform for Plan {
    fn apply(&self, mut batch: Batch, out: &mut Emitter<'_>) {
        let mut not_converted = 0;
        if self.resource.is_empty() {
            let concerns = |resource: &Resource, record: &LogRecord| self.holds(Seen { resource, record });
            let change = |resource: &Resource, record: &mut LogRecord| {
                not_converted += usize::from(!self.on_record(resource, record));
            };
            // When they are not known the batch comes decoded, and nothing is read of OTLP.
            let nothing = Reads::default();
            out.emit_edited(batch, self.reads.as_ref().unwrap_or(&nothing), concerns, change);
        } else {
            // Looks first, so that a batch without such records is not copied when another branch shares it.
            if batch.as_logs().is_some_and(|logs| self.concerns(logs))
                && let Some(logs) = batch.as_logs_mut()
            {
                not_converted = self.regroup(logs);
            }
            out.emit(batch);
        }
        out.degraded(not_converted, NOT_CONVERTED);
    }

    fn reads_encoded(&self) -> bool {
        self.reads.is_some()
    }
}

impl Plan {
    fn new(condition: Option<Condition>, actions: Vec<Action>, resource: Vec<Action>) -> Self {
        let condition_reads = condition.as_ref().map(Condition::reads).unwrap_or_default();
        let reads = actions.iter().try_fold(condition_reads, |all, action| Some(all.union(&action.reads()?)));
        let reads = reads.filter(|_| resource.is_empty());
        Self { condition, actions, resource, reads }
    }

    fn holds(&self, seen: Seen<'_>) -> bool {
        self.condition.as_ref().is_none_or(|condition| condition.holds(seen))
    }

    fn concerns(&self, logs: &Logs) -> bool {
        let concerned = |group: &LogGroup| {
            group.records.iter().any(|record| self.holds(Seen { resource: &group.resource, record }))
        };
        logs.groups.iter().any(concerned)
    }

    /// Changes records and resources, and groups the records by these; the number of those with a value that could not be converted.
    fn regroup(&self, logs: &mut Logs) -> usize {
        let (mut not_converted, mut regrouped) = (0, Logs::default());
        for LogGroup { resource, scope, records } in std::mem::take(&mut logs.groups) {
            for mut record in records {
                let mut own = Arc::clone(&resource);
                // Asked once: the actions may change what the condition looks at.
                if self.holds(Seen { resource: &resource, record: &record }) {
                    let mut converted = self.on_record(&resource, &mut record);
                    let (changed, sound) = self.on_resource(&resource, &record);
                    converted &= sound;
                    own = Arc::new(changed);
                    not_converted += usize::from(!converted);
                }
                regrouped.push(own, Arc::clone(&scope), record);
            }
        }
        *logs = regrouped;
        not_converted
    }

    /// Whether every value could be converted.
    fn on_record(&self, resource: &Resource, record: &mut LogRecord) -> bool {
        let mut converted = true;
        for action in &self.actions {
            let value = action.value(Seen { resource, record });
            converted &= action.run(&mut record.attrs, value);
        }
        converted
    }

    fn on_resource(&self, resource: &Resource, record: &LogRecord) -> (Resource, bool) {
        let (mut changed, mut converted) = (resource.clone(), true);
        for action in &self.resource {
            let value = action.value(Seen { resource: &changed, record });
            converted &= action.run(&mut changed.attrs, value);
        }
        (changed, converted)
    }
}
