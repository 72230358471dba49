//! Rules that are ready for events: one generation, replaced as a whole.

use super::{alert::Facts, alerts::AlertPlan, metrics::Metrics, payload};
use lanner_rules::{
    audit::{self, AuditPlan, Parity},
    ruleset::{Ruleset, SourceRules},
};

/// All rules of a processor.
#[derive(Default)]
pub struct Compiled {
    ruleset: Ruleset,
    audit: Option<AuditRules>,
    /// By the name of the source.
    alerts: Vec<(String, AlertPlan)>,
    /// By the place of the rule in the ruleset.
    facts: Box<[Facts]>,
}

/// What is needed for rules over audit events, beside the rules.
pub struct AuditRules {
    pub plan: AuditPlan,
    /// By the number of the field: whether it may show what a Secret or ConfigMap holds.
    pub payloads: Box<[bool]>,
}

impl Compiled {
    /// Rules that are switched on and off as configured. Those of `alert_sources` are for alerts.
    pub fn new(ruleset: Ruleset, parity: Parity, alert_sources: &[String], metrics: &Metrics) -> Self {
        let facts = ruleset.rules().iter().map(|rule| Facts::new(rule, metrics)).collect();
        let audit = ruleset.source(audit::SOURCE).map(|rules| AuditRules {
            plan: AuditPlan::new(rules.fields(), parity),
            payloads: rules.fields().iter().map(|field| payload::is_shown_by(&field.name)).collect(),
        });
        let alerts = alert_sources.iter().filter_map(|name| {
            let rules = ruleset.source(name)?;
            Some((name.clone(), AlertPlan::new(rules.fields())))
        });
        Self { audit, alerts: alerts.collect(), facts, ruleset }
    }

    /// How many rules are on, of those that are tried on anything.
    pub fn enabled_count(&self) -> usize {
        let audit = self.audit.iter().map(|_| audit::SOURCE);
        let sources = audit.chain(self.alerts.iter().map(|(name, _)| name.as_str()));
        sources.filter_map(|name| self.ruleset.source(name)).map(SourceRules::enabled_count).sum()
    }

    /// The rules for audit events.
    pub fn audit(&self) -> Option<(&SourceRules, &AuditRules)> {
        Some((self.ruleset.source(audit::SOURCE)?, self.audit.as_ref()?))
    }

    /// The rules for alerts of a source.
    pub fn alerts(&self, source: &str) -> Option<(&SourceRules, &AlertPlan)> {
        let (_, plan) = self.alerts.iter().find(|(name, _)| name == source)?;
        Some((self.ruleset.source(source)?, plan))
    }

    /// What is known of a rule, by its place in the ruleset.
    pub fn facts(&self, rule: usize) -> Option<&Facts> {
        self.facts.get(rule)
    }
}
