//! Judging one record.
//!
//! Promises: a record that no rules are for passes; conditions see an event as it came, outputs see it with the data of
//! Secrets, ConfigMaps and tokens masked; an event that matches nothing costs no memory but that of the arena, which its
//! thread keeps.

use super::{
    alert::Origin,
    attributes,
    compiled::{AuditRules, Compiled},
    config::{Behaviour, RuleMatching},
    payload::{self, Masked},
};
use lanner_engine::{
    event::SeverityNumber,
    prelude::*,
    semantics::{audit::without_payloads, is_audit, keys},
};
use lanner_rules::{
    audit::{AuditEvent, Meta},
    evaluate::{Arena, Run},
    ruleset::{CompiledRule, SourceRules},
};
use smallvec::SmallVec;

/// What becomes of a record.
pub enum Fate {
    /// No rules are for it.
    Passes,
    /// An audit event that no rule matched.
    Unmatched,
    /// An audit event that became alerts.
    Matched(Box<Matched>),
}

/// What rules say about a record.
#[derive(Default)]
pub struct Matched {
    pub alerts: SmallVec<[LogRecord; 1]>,
    /// That of the most urgent rule.
    pub severity: SeverityNumber,
}

/// A record after it was judged.
pub struct Verdict {
    pub fate: Fate,
    /// Whether only the attributes were there to judge.
    pub attributes_only: bool,
}

/// Judges a record of this resource.
pub fn judge(
    rules: &Compiled,
    behaviour: &Behaviour,
    resource: &Resource,
    record: &LogRecord,
    arena: &Arena,
) -> Verdict {
    match rules.audit() {
        Some((source, audit)) if is_audit(record) => {
            let judge = AuditJudge { rules, source, audit, behaviour, resource, arena };
            judge.judge(record)
        }
        _ => Verdict { fate: Fate::Passes, attributes_only: false },
    }
}

struct AuditJudge<'j> {
    rules: &'j Compiled,
    source: &'j SourceRules,
    audit: &'j AuditRules,
    behaviour: &'j Behaviour,
    resource: &'j Resource,
    arena: &'j Arena,
}

impl<'j> AuditJudge<'j> {
    /// The text that the record was made from, else a copy that it carries, else what its attributes say.
    fn judge(&self, record: &LogRecord) -> Verdict {
        let kept = [record.raw.text().map(|text| &**text), record.attrs.get_str(&keys::ORIGINAL)];
        for text in kept.into_iter().flatten() {
            // A copy may have been cut.
            if let Some(fate) = self.judge_text(record, text) {
                return Verdict { fate, attributes_only: false };
            }
        }
        let fate = self.judge_text(record, &attributes::event(record));
        Verdict { fate: fate.unwrap_or(Fate::Unmatched), attributes_only: true }
    }

    /// None if the text is no event.
    fn judge_text(&self, record: &LogRecord, text: &str) -> Option<Fate> {
        let hostname = self.resource.attrs.get_str(&keys::HOST_NAME).unwrap_or_default();
        let meta = Meta { number: 0, time: Some(record.time_unix_nano).filter(|time| *time > 0), hostname };
        let event = self.event(text, meta)?;
        let run = Run::new(self.source.program(), &event, self.arena);
        let mut matched = Matched::default();
        let origin = Origin { record, time: event.time().unwrap_or_default(), text };
        let most = match self.behaviour.matching {
            RuleMatching::First => 1,
            RuleMatching::All => usize::MAX,
        };
        for hit in self.source.all(&run).take(most) {
            self.alert(hit, &event, &run, &origin, meta, &mut matched);
        }
        Some(if matched.alerts.is_empty() { Fate::Unmatched } else { Fate::Matched(Box::new(matched)) })
    }

    fn event<'e>(&self, text: &'e str, meta: Meta<'e>) -> Option<AuditEvent<'e>>
    where
        'j: 'e,
    {
        AuditEvent::new(text.as_bytes(), meta, &self.audit.plan, self.arena).ok()
    }

    fn alert(
        &self,
        hit: &CompiledRule,
        event: &AuditEvent<'_>,
        run: &Run<'_, AuditEvent<'_>>,
        origin: &Origin<'_>,
        meta: Meta<'_>,
        matched: &mut Matched,
    ) {
        let Some(facts) = self.rules.facts(hit.rule) else { return };
        let alert = if self.behaviour.mask_payloads && payload::is_mentioned(&hit.template) {
            let text = without_payloads(origin.text);
            let masked = text.as_deref().and_then(|text| self.event(text, meta));
            let fields = Masked { event, masked: masked.as_ref(), payloads: &self.audit.payloads };
            let run = Run::new(self.source.program(), &fields, self.arena);
            facts.alert(&hit.template, &run, origin)
        } else {
            facts.alert(&hit.template, run, origin)
        };
        let Some(alert) = alert else { return };
        facts.matches.add(1);
        matched.severity = matched.severity.max(facts.severity);
        matched.alerts.push(alert);
    }
}
