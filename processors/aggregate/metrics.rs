//! What the stage tells about itself. The books close:
//! `passed + bypassed + over_limit + repeated + undecodable + suppressed + held` is what was absorbed, with what an
//! earlier process held.

use lanner_engine::{
    prelude::*,
    telemetry::{Counter, Telemetry, UpDownCounter},
};
use std::collections::HashMap;

/// Rules that have series of their own; 4 reasons each make the 2000 series of a metric.
const MAX_RULES: usize = 500;

/// Why a record does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its like has passed in the window; a summary counts it.
    Duplicate,
    /// Too many of its like have passed lately; a summary counts it.
    RateLimited,
    /// It was one of those that reached the threshold; a summary counts it.
    Threshold,
    /// The threshold was not reached; nothing else tells of it.
    BelowThreshold,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Duplicate, Self::RateLimited, Self::Threshold, Self::BelowThreshold];

    /// The value of the label `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::RateLimited => "rate_limited",
            Self::Threshold => "threshold",
            Self::BelowThreshold => "below_threshold",
        }
    }
}

/// Own metrics.
pub struct Cells {
    pub passed: Counter,
    pub bypassed: Counter,
    pub over_limit: Counter,
    pub repeated: Counter,
    pub undecodable: Counter,
    pub summaries: Counter,
    pub damaged: Counter,
    pub lost: Counter,
    pub held: UpDownCounter,
    pub keys: UpDownCounter,
    pub bytes: UpDownCounter,
    suppressed: Suppressed,
}

impl Cells {
    pub fn new(cx: &BuildCx) -> Self {
        let id = ("processor", cx.id.as_str());
        let records = |outcome| {
            let help = "Log records taken by the processor, by what became of them.";
            cx.telemetry.counter("lanner_aggregate_records", help, "{record}", &[id, ("outcome", outcome)])
        };
        let counter = |name, help, unit| cx.telemetry.counter(name, help, unit, &[id]);
        let sum = |name, help, unit| cx.telemetry.up_down_counter(name, help, unit, &[id]);
        Self {
            passed: records("passed"),
            bypassed: records("bypassed"),
            over_limit: records("over_limit"),
            repeated: records("repeated"),
            undecodable: records("undecodable"),
            summaries: counter("lanner_aggregate_summaries", "Summaries made.", "{record}"),
            damaged: counter("lanner_aggregate_damaged_entries", "Groups that the storage lost.", "{group}"),
            lost: counter("lanner_aggregate_lost_records", "Records the pipeline did not take at the end.", "{record}"),
            held: sum("lanner_aggregate_held_records", "Records held for a threshold.", "{record}"),
            keys: sum("lanner_aggregate_keys", "Groups held.", "{group}"),
            bytes: sum("lanner_aggregate_bytes", "Memory of the groups, about.", "By"),
            suppressed: Suppressed::new(cx.telemetry.clone(), cx.id.to_string()),
        }
    }

    /// Counts records of a rule that were held until now.
    pub fn release(&mut self, rule: &str, reason: Reason, records: u64) {
        self.held.add(-i64::try_from(records).unwrap_or(i64::MAX));
        self.suppress(rule, reason, records);
    }

    /// Counts records of a rule that do not pass.
    pub fn suppress(&mut self, rule: &str, reason: Reason, records: u64) {
        self.suppressed.add(rule, reason, records);
    }
}

/// The metric `security_alerts_suppressed`.
struct Suppressed {
    telemetry: Telemetry,
    processor: String,
    /// One counter for each reason.
    rules: HashMap<Box<str>, [Counter; 4]>,
    overflow: [Counter; 4],
}

impl Suppressed {
    fn new(telemetry: Telemetry, processor: String) -> Self {
        let overflow = counters(&telemetry, &processor, ("otel_metric_overflow", "true"));
        Self { telemetry, processor, rules: HashMap::new(), overflow }
    }

    fn add(&mut self, rule: &str, reason: Reason, records: u64) {
        if !self.rules.contains_key(rule) && self.rules.len() < MAX_RULES {
            let counters = counters(&self.telemetry, &self.processor, ("security_rule_name", rule));
            self.rules.insert(rule.into(), counters);
        }
        self.rules.get(rule).unwrap_or(&self.overflow)[reason as usize].add(records);
    }
}

fn counters(telemetry: &Telemetry, processor: &str, label: (&'static str, &str)) -> [Counter; 4] {
    Reason::ALL.map(|reason| {
        let labels = [("processor", processor), ("reason", reason.as_str()), label];
        let help = "Alerts that did not pass the processor, by why; all but below_threshold are counted in summaries.";
        telemetry.counter("security_alerts_suppressed", help, "{alert}", &labels)
    })
}
