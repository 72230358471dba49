//! Rules that are ready for events: one generation, replaced as a whole.

use super::{alert::Facts, metrics::Metrics, payload};
use lanner_rules::{
    audit::{self, AuditPlan, Parity},
    ruleset::{Ruleset, SourceRules},
};

/// All rules of a processor.
#[derive(Default)]
pub struct Compiled {
    ruleset: Ruleset,
    audit: Option<AuditRules>,
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
    /// Rules that are switched on and off as configured.
    pub fn new(ruleset: Ruleset, parity: Parity, metrics: &Metrics) -> Self {
        let facts = ruleset.rules().iter().map(|rule| Facts::new(rule, metrics)).collect();
        let audit = ruleset.source(audit::SOURCE).map(|rules| AuditRules {
            plan: AuditPlan::new(rules.fields(), parity),
            payloads: rules.fields().iter().map(|field| payload::is_shown_by(&field.name)).collect(),
        });
        Self { audit, facts, ruleset }
    }

    /// How many rules are on.
    pub fn enabled_count(&self) -> usize {
        self.ruleset.enabled_count()
    }

    /// The rules for audit events.
    pub fn audit(&self) -> Option<(&SourceRules, &AuditRules)> {
        Some((self.ruleset.source(audit::SOURCE)?, self.audit.as_ref()?))
    }

    /// What is known of a rule, by its place in the ruleset.
    pub fn facts(&self, rule: usize) -> Option<&Facts> {
        self.facts.get(rule)
    }
}
