//! Judging one record.
//!
//! Promises: a record that no rules are for passes; conditions see an event as it came, outputs see it with the data of
//! Secrets, ConfigMaps and tokens masked; an event that matches nothing costs no memory but that of the arena, which its
//! thread keeps. An alert goes on whatever second-level rules say of it.

use super::{
    alert::{Facts, Origin},
    alerts, attributes,
    compiled::{AuditRules, Compiled},
    config::Behaviour,
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
    ruleset::SourceRules,
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
    /// An alert about which second-level rules say more.
    Joined(Box<Matched>),
}

/// What rules say about a record.
#[derive(Default)]
pub struct Matched {
    pub alerts: SmallVec<[LogRecord; 1]>,
    /// That of the most urgent rule.
    pub severity: SeverityNumber,
    /// Whether a rule has a name that no alert can have (`<NA>`). What it matched is not left out, then.
    pub unwritten: bool,
}

/// What was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    AuditEvent,
    Alert,
}

/// A record after it was judged.
pub struct Verdict {
    pub fate: Fate,
    /// As what it was judged, if rules are for it.
    pub judged: Option<Judged>,
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
    let mut verdict = Verdict { fate: Fate::Passes, judged: None, attributes_only: false };
    if let Some(source) = alerts::source_of(record) {
        if let Some((source, plan)) = rules.alerts(source) {
            verdict.judged = Some(Judged::Alert);
            let fields = plan.fields(resource, record, arena);
            let run = Run::new(source.program(), &fields, arena);
            let origin = Origin { record, time: record.time_unix_nano, text: record.body.as_str().unwrap_or_default() };
            let mut matched = Matched::default();
            for hit in source.all(&run).take(behaviour.most()) {
                matched.add(rules.facts(hit.rule), |facts| facts.alert(&hit.template, &run, &origin));
            }
            if !matched.alerts.is_empty() {
                verdict.fate = Fate::Joined(Box::new(matched));
            }
        }
    } else if let Some((source, audit)) = rules.audit()
        && is_audit(record)
    {
        verdict.judged = Some(Judged::AuditEvent);
        let judge = AuditJudge { rules, source, audit, behaviour, resource, arena };
        (verdict.fate, verdict.attributes_only) = judge.judge(record);
    }
    verdict
}

impl Matched {
    /// Adds the alert of a rule.
    fn add(&mut self, facts: Option<&Facts>, alert: impl FnOnce(&Facts) -> Option<LogRecord>) {
        let Some((facts, alert)) = facts.and_then(|facts| Some((facts, alert(facts)?))) else {
            self.unwritten = true;
            return;
        };
        facts.matches.add(1);
        self.severity = self.severity.max(facts.severity);
        self.alerts.push(alert);
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
    /// By the text that the record was made from, else a copy that it carries, else what its attributes say; the flag says
    /// that it was the last.
    fn judge(&self, record: &LogRecord) -> (Fate, bool) {
        let kept = [record.raw.text().map(|text| &**text), record.attrs.get_str(&keys::ORIGINAL)];
        for text in kept.into_iter().flatten() {
            // A copy may have been cut.
            if let Some(fate) = self.judge_text(record, text) {
                return (fate, false);
            }
        }
        let fate = self.judge_text(record, &attributes::event(record));
        (fate.unwrap_or(Fate::Unmatched), true)
    }

    /// None if the text is no event.
    fn judge_text(&self, record: &LogRecord, text: &str) -> Option<Fate> {
        let hostname = self.resource.attrs.get_str(&keys::HOST_NAME).unwrap_or_default();
        let meta = Meta { number: 0, time: Some(record.time_unix_nano).filter(|time| *time > 0), hostname };
        let event = self.event(text, meta)?;
        let run = Run::new(self.source.program(), &event, self.arena);
        let mut matched = Matched::default();
        let origin = Origin { record, time: event.time().unwrap_or_default(), text };
        for hit in self.source.all(&run).take(self.behaviour.most()) {
            matched.add(self.rules.facts(hit.rule), |facts| {
                if !(self.behaviour.mask_payloads && payload::is_mentioned(&hit.template)) {
                    return facts.alert(&hit.template, &run, &origin);
                }
                let text = without_payloads(text);
                let masked = text.as_deref().and_then(|text| self.event(text, meta));
                let fields = Masked { event: &event, masked: masked.as_ref(), payloads: &self.audit.payloads };
                facts.alert(&hit.template, &Run::new(self.source.program(), &fields, self.arena), &origin)
            });
        }
        Some(match (matched.alerts.is_empty(), matched.unwritten) {
            (false, _) => Fate::Matched(Box::new(matched)),
            (true, false) => Fate::Unmatched,
            (true, true) => Fate::Passes,
        })
    }

    fn event<'e>(&self, text: &'e str, meta: Meta<'e>) -> Option<AuditEvent<'e>>
    where
        'j: 'e,
    {
        AuditEvent::new(text.as_bytes(), meta, &self.audit.plan, self.arena).ok()
    }
}
