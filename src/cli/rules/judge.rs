//! From an event to alerts.

use lanner_engine::semantics::audit::reasons;
use lanner_rules::{
    alert::{Alert, AlertEvent, AlertPlan},
    audit::{AuditEvent, AuditPlan, Meta},
    evaluate::{Arena, Fields, Run},
    ruleset::{Ruleset, SourceRules},
};
use std::{
    io::{self, Write},
    time::{SystemTime, UNIX_EPOCH},
};

/// Where the fields are.
pub enum Plan {
    Audit(AuditPlan),
    Alerts(AlertPlan),
}

/// An event that is no alert.
const NOT_ALERT: &str = "not_alert";
/// An alert about something else than the rules.
const OTHER_SOURCE: &str = "other_source";

/// Evaluates the rules of one source.
pub struct Judge<'r> {
    ruleset: &'r Ruleset,
    rules: &'r SourceRules,
    plan: Plan,
    /// Whether an event is done with the first rule that matches.
    only_first: bool,
    hostname: String,
    /// When an event was that does not say when it was; nanoseconds since 1970.
    now: Option<u64>,
}

impl<'r> Judge<'r> {
    pub fn new(ruleset: &'r Ruleset, rules: &'r SourceRules, plan: Plan, only_first: bool) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| now.as_nanos().try_into().ok());
        Self { ruleset, rules, plan, only_first, hostname: hostname(), now }
    }

    /// Writes the alerts of the `number`-th event, one a line. The rules that match, or why the event is not evaluated.
    pub fn alerts(
        &self,
        number: u64,
        event: &[u8],
        arena: &Arena,
        out: &mut impl Write,
    ) -> io::Result<Result<Vec<usize>, &'static str>> {
        match &self.plan {
            Plan::Audit(plan) => {
                let meta = Meta { number, time: self.now, hostname: &self.hostname };
                match AuditEvent::new(event, meta, plan, arena) {
                    Ok(event) if event.is_audit() => {
                        self.write(&event, event.time(), &self.hostname, arena, out).map(Ok)
                    }
                    Ok(_) => Ok(Err(reasons::NOT_EVENT)),
                    Err(_) => Ok(Err(reasons::NOT_JSON)),
                }
            }
            Plan::Alerts(plan) => match AlertEvent::new(event, number, plan, arena) {
                Ok(event) if event.source() == self.rules.name() => {
                    self.write(&event, event.time().or(self.now), event.hostname(), arena, out).map(Ok)
                }
                Ok(_) => Ok(Err(OTHER_SOURCE)),
                Err(_) => Ok(Err(NOT_ALERT)),
            },
        }
    }

    fn write(
        &self,
        event: &impl Fields,
        time: Option<u64>,
        hostname: &str,
        arena: &Arena,
        out: &mut impl Write,
    ) -> io::Result<Vec<usize>> {
        let run = Run::new(self.rules.program(), event, arena);
        let mut matched = Vec::new();
        for hit in self.rules.all(&run).take(if self.only_first { 1 } else { usize::MAX }) {
            let Some(rule) = self.ruleset.rules().get(hit.rule) else { continue };
            let alert = Alert { rule, template: &hit.template, run: &run, time, hostname };
            serde_json::to_writer(&mut *out, &alert)?;
            out.write_all(b"\n")?;
            matched.push(hit.rule);
        }
        Ok(matched)
    }
}

/// What Falco on this machine would call the host.
fn hostname() -> String {
    std::env::var("FALCO_HOSTNAME")
        .or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"))
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}
