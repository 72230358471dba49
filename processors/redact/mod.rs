//! `redact` takes secrets and personal data out of events.
//!
//! Promises
//! - It looks at everything that holds text: attributes of records, scopes and resources, bodies, and what is nested in
//!   them. Names, times and ids stay: `log.record.uid` is what links an event to its copies elsewhere.
//! - What it cannot look into is taken away: the raw text that audit events carry for rules.
//! - Other records without a finding are neither copied nor changed; no record is left out.
//! - Put it first, but behind `falco_rules`, which needs that raw text: what a processor in front of it got is not redacted.

mod config;
#[cfg(test)]
mod tests;
mod text;

use crate::digest::{bytes_of, digest};
use config::{Config, Plan, Replacement};
use lanner_engine::{
    event::Raw,
    prelude::*,
    semantics::{keys, secrets},
};
use std::{borrow::Cow, sync::Arc};

/// Nesting of values that is looked at; deeper ones are redacted as a whole.
const MAX_DEPTH: usize = 64;

/// The component type.
pub struct Redact;

impl Component for Redact {
    const TYPE: &'static str = "redact";
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
    fn apply(&self, mut batch: Batch, out: &mut Emitter<'_>) {
        // Looks first, so that a batch without a finding is not copied when another branch shares it.
        if batch.as_logs().is_some_and(|logs| self.finds(logs))
            && let Some(logs) = batch.as_logs_mut()
        {
            for group in &mut logs.groups {
                if self.finds_in(&group.resource.attrs) {
                    self.clean(&mut Arc::make_mut(&mut group.resource).attrs);
                }
                if self.finds_in(&group.scope.attrs) {
                    self.clean(&mut Arc::make_mut(&mut group.scope).attrs);
                }
                for record in &mut group.records {
                    record.raw = Raw::default();
                    self.clean(&mut record.attrs);
                    if let Some(body) = self.redacted(&record.body, 0) {
                        record.body = body;
                    }
                }
            }
        }
        out.emit(batch);
    }
}

/// What becomes of an attribute.
enum Verdict {
    Stays,
    Becomes(Value),
    Goes,
}

impl Plan {
    fn finds(&self, logs: &Logs) -> bool {
        logs.groups.iter().any(|group| {
            self.finds_in(&group.resource.attrs)
                || self.finds_in(&group.scope.attrs)
                || group.records.iter().any(|record| {
                    record.raw.text().is_some()
                        || self.finds_in(&record.attrs)
                        || self.redacted(&record.body, 0).is_some()
                })
        })
    }

    fn finds_in(&self, attrs: &Attributes) -> bool {
        attrs.iter().any(|(key, value)| !matches!(self.verdict(key.as_str(), value, 0), Verdict::Stays))
    }

    fn clean(&self, attrs: &mut Attributes) {
        let mut gone = Vec::new();
        for (key, value) in attrs.iter_mut() {
            match self.verdict(key.as_str(), value, 0) {
                Verdict::Stays => {}
                Verdict::Becomes(other) => *value = other,
                Verdict::Goes => gone.push(key.clone()),
            }
        }
        for key in &gone {
            attrs.remove(key);
        }
    }

    /// What becomes of an attribute, or of an entry of a nested map.
    fn verdict(&self, name: &str, value: &Value, depth: usize) -> Verdict {
        if name == keys::UID.as_str() || self.allowed.is_match(name) {
            return Verdict::Stays;
        }
        if self.keys.is_match(name) {
            return match self.whole(value) {
                Some(other) if other == *value => Verdict::Stays,
                Some(other) => Verdict::Becomes(other),
                None => Verdict::Goes,
            };
        }
        self.redacted(value, depth).map_or(Verdict::Stays, Verdict::Becomes)
    }

    /// What stands for a whole value; `None` when it goes.
    fn whole(&self, value: &Value) -> Option<Value> {
        match &self.replacement {
            Replacement::Mask(mask) => Some(Value::Text(mask.clone())),
            Replacement::Hash(key) => Some(Value::text(digest(key, &bytes_of(value)))),
            Replacement::Delete => None,
        }
    }

    /// The value without what is found in its texts; `None` when nothing is.
    fn redacted(&self, value: &Value, depth: usize) -> Option<Value> {
        match value {
            Value::Text(text) => match self.text(text) {
                Cow::Borrowed(_) => None,
                Cow::Owned(text) => Some(Value::text(text)),
            },
            Value::Array(_) | Value::Map(_) if depth >= MAX_DEPTH => Some(Value::text(secrets::MARK)),
            Value::Array(items) => {
                let found: Vec<_> = items.iter().map(|item| self.redacted(item, depth + 1)).collect();
                found.iter().any(Option::is_some).then(|| {
                    let pairs = items.iter().zip(found);
                    Value::Array(pairs.map(|(item, other)| other.unwrap_or_else(|| item.clone())).collect())
                })
            }
            Value::Map(entries) => {
                let found: Vec<_> = entries.iter().map(|(name, value)| self.verdict(name, value, depth + 1)).collect();
                found.iter().any(|verdict| !matches!(verdict, Verdict::Stays)).then(|| {
                    let pairs = entries.iter().zip(found);
                    let left = pairs.filter_map(|((name, value), verdict)| match verdict {
                        Verdict::Stays => Some((name.clone(), value.clone())),
                        Verdict::Becomes(other) => Some((name.clone(), other)),
                        Verdict::Goes => None,
                    });
                    Value::Map(left.collect())
                })
            }
            Value::Empty | Value::Bool(_) | Value::Int(_) | Value::Double(_) | Value::Bytes(_) => None,
        }
    }

    fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = if self.secrets { secrets::redact(text) } else { Cow::Borrowed(text) };
        for pattern in &self.patterns {
            if let Some(other) = text::replace(&text, pattern, &self.replacement) {
                text = Cow::Owned(other);
            }
        }
        text
    }
}
