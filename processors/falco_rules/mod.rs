//! `falco_rules` runs Falco rules inside of Lanner: over Kubernetes audit events, and over Falco alerts as second-level
//! rules. What matches becomes an alert.
//!
//! Promises
//! - A rule detects what Falco detects with it (`lanner_rules` names the deviations), and its alert is the record that
//!   Falco's own alert would have become.
//! - Records that no rules are for pass as they are. Of audit events only those that match go on, as alerts, unless
//!   configured otherwise; the others are counted under [`NO_RULE_MATCHED`]. Alerts that are judged always go on.
//! - Rules are replaced as a whole, between two batches, and only by rules that are right.
//!
//! Flow: [`files`] finds rule files, [`ruleset`] makes [`compiled`] rules of them, at the start and, in [`watch`], whenever
//! they change; [`judge`] tries them on a record (of Falco's [`alerts`] they see other fields than of audit events), and
//! [`alert`] writes what matched.

mod adjust;
mod alert;
mod alerts;
mod attributes;
mod compiled;
mod config;
mod files;
mod judge;
mod metrics;
mod payload;
mod ruleset;
#[cfg(test)]
mod tests;
mod watch;

use arc_swap::ArcSwap;
use compiled::Compiled;
use config::{Behaviour, Config, Plan};
use judge::{Fate, Judged, Matched, judge};
use lanner_conditions::with_arena;
use lanner_engine::{event::LogGroup, prelude::*, semantics::scope};
use metrics::Metrics;
use ruleset::{Look, RuleLoader, Seen};
use std::sync::Arc;
use watch::Watch;

/// Why audit events are left out.
const NO_RULE_MATCHED: &str = "no_rule_matched";
/// What is odd about audit events of which only the attributes are left.
const ATTRIBUTES_ONLY: &str = "attributes_only";

/// The component type.
pub struct FalcoRules;

impl Component for FalcoRules {
    const TYPE: &'static str = "falco_rules";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

#[async_trait]
impl TransformPlan for Plan {
    /// Loads the rules.
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn BuiltTransform>, BoxError> {
        let Self { sources, settings, behaviour, reload_interval } = *self;
        let metrics = Arc::new(Metrics::new(cx));
        let loader = Arc::new(RuleLoader { sources, settings, metrics: Arc::clone(&metrics) });
        let (seen, rules) = match watch::look(&loader, Seen::default()).await? {
            Look::Loaded(seen, rules) => (seen, rules),
            Look::Unusable(_, error) => return Err(error.into()),
            // What was never seen is never the same.
            Look::Same(seen) => (seen, Compiled::default()),
        };
        metrics.rules.set(i64::try_from(rules.enabled_count()).unwrap_or(i64::MAX));
        let watch = Watch::new(loader, seen, reload_interval, cx);
        let rules = ArcSwap::from_pointee(rules);
        Ok(Box::new(Transformer { rules, behaviour, metrics, watch, scope: scope("lanner.processor.rules") }))
    }
}

/// The processor at work.
struct Transformer {
    rules: ArcSwap<Compiled>,
    behaviour: Behaviour,
    metrics: Arc<Metrics>,
    watch: Watch,
    /// Of alerts.
    scope: Arc<Scope>,
}

impl Transform for Transformer {
    fn apply(&self, batch: Batch, out: &mut Emitter<'_>) {
        let rules = self.rules.load();
        let Some(logs) = batch.as_logs() else { return out.emit(batch) };
        let fates = self.judge_all(&rules, logs, out);
        if fates.iter().all(|fate| matches!(fate, Fate::Passes)) {
            return out.emit(batch);
        }
        // It has just been seen to be logs.
        let Ok(logs) = batch.into_logs() else { return };
        let judged = self.settle(logs, fates, out);
        out.emit(Batch::logs(judged));
    }
}

#[async_trait]
impl BuiltTransform for Transformer {
    /// Keeps the rules current.
    async fn run(&self, drain: Drain) -> Result<(), BoxError> {
        self.watch.run(&self.rules, drain).await
    }
}

impl Transformer {
    /// The fates of all records, in order.
    fn judge_all(&self, rules: &Compiled, logs: &Logs, out: &mut Emitter<'_>) -> Vec<Fate> {
        let (mut attributes_only, mut events, mut alerts) = (0, 0, 0);
        let mut fates = Vec::with_capacity(logs.len());
        for group in &logs.groups {
            for record in &group.records {
                let verdict = with_arena(|arena| judge(rules, &self.behaviour, &group.resource, record, arena));
                attributes_only += usize::from(verdict.attributes_only);
                match verdict.judged {
                    Some(Judged::AuditEvent) => events += 1,
                    Some(Judged::Alert) => alerts += 1,
                    None => {}
                }
                fates.push(verdict.fate);
            }
        }
        out.degraded(attributes_only, ATTRIBUTES_ONLY);
        self.metrics.judged_events.add(events);
        self.metrics.judged_alerts.add(alerts);
        fates
    }

    /// Carries the fates out. Of each group alerts come first, then what stays of it.
    fn settle(&self, logs: Logs, fates: Vec<Fate>, out: &mut Emitter<'_>) -> Logs {
        let mut settled = Logs::default();
        let (mut unmatched, mut created) = (0, 0);
        let mut fates = fates.into_iter();
        for group in logs.groups {
            let mut alerts = Vec::new();
            let mut kept = Vec::new();
            for (mut record, fate) in group.records.into_iter().zip(fates.by_ref()) {
                match fate {
                    Fate::Passes => kept.push(record),
                    Fate::Unmatched if self.behaviour.keep_unmatched => kept.push(record),
                    Fate::Unmatched => unmatched += 1,
                    Fate::Joined(matched) => {
                        created += matched.alerts.len();
                        alerts.extend(matched.alerts);
                        kept.push(record);
                    }
                    Fate::Matched(matched) => {
                        let Matched { alerts: made, severity, .. } = *matched;
                        created += made.len();
                        alerts.extend(made);
                        if self.behaviour.keep_matched {
                            record.severity_number = severity;
                            kept.push(record);
                        } else {
                            // The event became its first alert.
                            created -= 1;
                        }
                    }
                }
            }
            let LogGroup { resource, scope, .. } = group;
            let alerts = LogGroup { resource: Arc::clone(&resource), scope: Arc::clone(&self.scope), records: alerts };
            let kept = LogGroup { resource, scope, records: kept };
            settled.groups.extend([alerts, kept].into_iter().filter(|group| !group.records.is_empty()));
        }
        out.discard(unmatched, NO_RULE_MATCHED);
        out.created(created);
        settled
    }
}
