//! `filter` keeps the alerts that meet every key, and the records for which `condition` holds.
//!
//! Promises: changes no record, not a byte of one that came as OTLP; what it leaves out is counted under the first key that failed, in the order
//! of the constants below; an alert whose priority is unknown passes `min_priority`, because a filter must not be the
//! place where an odd alert disappears; records that are no alerts pass unless `non_alerts: drop`
//! or a `condition`, which can speak of any record, says otherwise.

mod config;
#[cfg(test)]
mod tests;

use config::{Config, Plan};
use lanner_conditions::Seen;
use lanner_engine::{
    prelude::*,
    semantics::{is_alert, keys, priority},
};

/// Reasons, in the order in which the keys are looked at: cheap ones first.
const NON_ALERT: &str = "non_alert";
const MIN_PRIORITY: &str = "min_priority";
const SOURCE: &str = "source";
const EXCLUDE_TAGS: &str = "exclude_tags";
const REQUIRE_TAGS: &str = "require_tags";
const RULE: &str = "rule";
const OUTPUT: &str = "output";
const CONDITION: &str = "condition";

/// The component type.
pub struct Filter;

impl Component for Filter {
    const TYPE: &'static str = "filter";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

impl Transform for Plan {
    fn apply(&self, batch: Batch, out: &mut Emitter<'_>) {
        out.emit_unless(batch, &self.reads, |resource, record| self.failed_condition(Seen { resource, record }));
    }

    fn reads_encoded(&self) -> bool {
        true
    }

    fn only_selects(&self) -> bool {
        true
    }
}

impl Plan {
    /// The first condition that the record does not meet.
    fn failed_condition(&self, seen: Seen<'_>) -> Option<&'static str> {
        let failed = match self.recognises().then(|| is_alert(seen.record)) {
            Some(true) => self.failed_key(seen.record),
            Some(false) => self.drop_others.then_some(NON_ALERT),
            None => None,
        };
        let holds = || self.condition.as_ref().is_none_or(|condition| condition.holds(seen));
        failed.or_else(|| (!holds()).then_some(CONDITION))
    }

    /// The first of the plain keys that an alert does not meet.
    fn failed_key(&self, record: &LogRecord) -> Option<&'static str> {
        if self.min_priority.is_some_and(|least| priority(record).is_some_and(|priority| priority < least)) {
            return Some(MIN_PRIORITY);
        }
        let attrs = &record.attrs;
        if !self.sources.is_empty() {
            let source = source_name(attrs.get_str(&keys::SOURCE).unwrap_or_default());
            if !self.sources.iter().any(|wanted| source_name(wanted) == source) {
                return Some(SOURCE);
            }
        }
        let has_tag = |wanted: &String| match attrs.get(&keys::TAGS) {
            Some(Value::Array(tags)) => tags.iter().any(|tag| tag.as_str() == Some(wanted)),
            _ => false,
        };
        if self.exclude_tags.iter().any(has_tag) {
            return Some(EXCLUDE_TAGS);
        }
        if !self.require_tags.iter().all(has_tag) {
            return Some(REQUIRE_TAGS);
        }
        if self.rule.as_ref().is_some_and(|rule| !rule.is_match(attrs.get_str(&keys::RULE).unwrap_or_default())) {
            return Some(RULE);
        }
        if self.output.as_ref().is_some_and(|output| !output.is_match(record.body.as_str().unwrap_or_default())) {
            return Some(OUTPUT);
        }
        None
    }
}

/// falcosidekick fills in `syscalls` where Falco says `syscall`.
fn source_name(source: &str) -> &str {
    if source == "syscalls" { "syscall" } else { source }
}
