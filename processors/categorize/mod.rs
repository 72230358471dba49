//! `categorize` judges alerts and audit events: how urgent, what kind, which ATT&CK ids and controls, what to go on with and
//! what to do.
//!
//! Flow, per record: parsers take attributes out of its text; the overrides that fit are put together; severity, ATT&CK ids
//! and category, controls, indicators and the recommendation follow, each of the ones before.
//! Promises
//! - Nothing is left out, nothing is made; records that are neither alert nor audit event pass untouched.
//! - The mapping has judged already, by the same tables (`lanner_engine::semantics`). What it wrote changes only where the
//!   configuration says so: by the extended categories or an override. An alert that came without gets the same.
//! - Recommendations are static text: they never hold a value of the event.

mod classify;
mod compliance;
mod config;
mod indicators;
mod overrides;
mod parse;
mod recommendations;
mod severity;
#[cfg(test)]
mod tests;

use config::{Config, Plan};
use lanner_conditions::Seen;
use lanner_engine::{
    event::LogGroup,
    prelude::*,
    semantics::{is_alert, is_audit, keys},
};
use overrides::Verdict;
use recommendations::Recommendations;

/// The reason under which a record counts whose rule has a parser that found nothing.
const NOT_PARSED: &str = "not_parsed";

/// The component type.
pub struct Categorize;

impl Component for Categorize {
    const TYPE: &'static str = "categorize";
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
    async fn build(self: Box<Self>, _: &BuildCx) -> Result<Box<dyn BuiltTransform>, BoxError> {
        let recommendations = self.recommendations.build().await?;
        Ok(Box::new(Judge {
            categories: self.categories,
            frameworks: self.frameworks,
            indicators: self.indicators,
            parsers: self.parsers,
            overrides: self.overrides,
            recommendations,
        }))
    }
}

/// The built processor.
struct Judge {
    categories: classify::CategorySet,
    frameworks: Vec<compliance::Framework>,
    indicators: bool,
    parsers: Vec<parse::Parser>,
    overrides: Vec<overrides::Override>,
    /// None when nothing is recommended.
    recommendations: Option<Recommendations>,
}

/// What is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Alert,
    AuditEvent,
}

impl Subject {
    fn of(record: &LogRecord) -> Option<Self> {
        if is_alert(record) { Some(Self::Alert) } else { is_audit(record).then_some(Self::AuditEvent) }
    }
}

impl BuiltTransform for Judge {}

impl Transform for Judge {
    fn apply(&self, mut batch: Batch, out: &mut Emitter<'_>) {
        let mut not_parsed = 0;
        // Looks first, so that a batch without such records is not copied when another branch shares it.
        if batch.records().any(|record| Subject::of(record).is_some())
            && let Some(logs) = batch.as_logs_mut()
        {
            for LogGroup { resource, records, .. } in &mut logs.groups {
                for record in records {
                    if let Some(subject) = Subject::of(record) {
                        not_parsed += self.judge(resource, record, subject);
                    }
                }
            }
        }
        out.degraded(not_parsed, NOT_PARSED);
        out.emit(batch);
    }
}

impl Judge {
    /// Judges a record; 1 when it has a parser that found nothing, else 0.
    fn judge(&self, resource: &Resource, record: &mut LogRecord, subject: Subject) -> usize {
        let parsed = parse::run(&self.parsers, resource, record);
        let verdict = Verdict::of(&self.overrides, Seen { resource, record });
        severity::settle(record, subject, verdict.priority);
        classify::settle(record, subject, &verdict, self.categories);
        compliance::settle(record, &verdict, &self.frameworks);
        if self.indicators {
            indicators::settle(resource, record);
        }
        let chosen = verdict.recommendation.or_else(|| {
            // Most audit events are daily routine, so only an override has something to say about one.
            let recommendations = self.recommendations.as_ref().filter(|_| subject == Subject::Alert)?;
            recommendations.choose(record)
        });
        if let Some(advice) = chosen {
            record.attrs.set(keys::RECOMMENDATION.clone(), Value::Text(advice.text.clone()));
            record.attrs.set(keys::RECOMMENDATION_ID.clone(), Value::Text(advice.id.clone()));
        }
        usize::from(!parsed)
    }
}

/// The texts of a list, or the one text.
fn texts<'r>(attrs: &'r Attributes, key: &Key) -> impl Iterator<Item = &'r str> + use<'r> {
    let (list, one) = match attrs.get(key) {
        Some(Value::Array(items)) => (items.as_slice(), None),
        Some(Value::Text(text)) => (&[][..], Some(text.as_str())),
        _ => (&[][..], None),
    };
    list.iter().filter_map(Value::as_str).chain(one)
}

/// The name of the rule; empty when there is none.
fn rule(record: &LogRecord) -> &str {
    record.attrs.get_str(&keys::RULE).unwrap_or_default()
}
