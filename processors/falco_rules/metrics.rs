//! What this processor counts beside what all processors do.
//!
//! Promises: names of rules come from rule files, never from events; no more than [`MAX_RULES`] of them have a series of
//! their own in the life of a process, however often the files change; the others share one.

use lanner_engine::{
    prelude::BuildCx,
    telemetry::{Counter, Gauge, Telemetry},
};
use parking_lot::Mutex;
use std::collections::HashSet;

/// Most rules with a series of their own.
const MAX_RULES: usize = 2000;

/// Cells of one processor.
pub struct Metrics {
    telemetry: Telemetry,
    processor: String,
    /// Rules that are on.
    pub rules: Gauge,
    pub reloads_done: Counter,
    pub reloads_failed: Counter,
    pub judged_events: Counter,
    pub judged_alerts: Counter,
    named: Mutex<HashSet<String>>,
}

impl Metrics {
    /// The cells of the processor that is being built.
    pub fn new(cx: &BuildCx) -> Self {
        let processor = cx.id.to_string();
        let reloads = |outcome| {
            let help = "Changed rule files, by whether they could be used.";
            let labels = [("processor", processor.as_str()), ("outcome", outcome)];
            cx.telemetry.counter("lanner_falco_rules_reloads", help, "{reload}", &labels)
        };
        let judged = |kind| {
            let help = "Records that rules were tried on.";
            let labels = [("processor", processor.as_str()), ("kind", kind)];
            cx.telemetry.counter("lanner_falco_rules_judged", help, "{record}", &labels)
        };
        Self {
            rules: cx.telemetry.gauge(
                "lanner_falco_rules_enabled",
                "Rules that are on.",
                "{rule}",
                &[("processor", processor.as_str())],
            ),
            reloads_done: reloads("success"),
            reloads_failed: reloads("failure"),
            judged_events: judged("audit_event"),
            judged_alerts: judged("alert"),
            telemetry: cx.telemetry.clone(),
            named: Mutex::default(),
            processor,
        }
    }

    /// The processor's id.
    pub fn processor(&self) -> &str {
        &self.processor
    }

    /// The matches of a rule.
    pub fn matches(&self, rule: &str, source: &str, priority: &str) -> Counter {
        const HELP: &str = "Alerts that rules made.";
        let mut named = self.named.lock();
        let processor = ("processor", self.processor.as_str());
        let labels = match named.contains(rule) || named.len() < MAX_RULES {
            true => &[processor, ("rule", rule), ("source", source), ("priority", priority)][..],
            false => &[processor, ("otel_metric_overflow", "true")],
        };
        if named.len() < MAX_RULES {
            named.insert(rule.to_owned());
        }
        self.telemetry.counter("lanner_falco_rules_matches", HELP, "{alert}", labels)
    }
}
