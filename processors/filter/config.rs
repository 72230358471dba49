//! What a user writes, and what is checked of it.

use lanner_conditions::{Condition, ConditionConfig};
use lanner_engine::{
    config::Pattern,
    event::Reads,
    prelude::*,
    semantics::{keys, recognised_by},
};

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Least urgent priority to keep.
    pub min_priority: Option<Priority>,
    /// Keep alerts that have every one of these tags.
    pub require_tags: Vec<String>,
    /// Discard alerts that have one of these tags.
    pub exclude_tags: Vec<String>,
    /// Keep alerts whose rule name matches; anywhere, unless anchored with `^` and `$`.
    pub rule: Option<Pattern>,
    /// Keep alerts whose message matches.
    pub output: Option<Pattern>,
    /// Keep alerts of this source, or of one of these: `syscall`, `k8s_audit`, a plugin's source. `syscalls` is the same as
    /// `syscall`.
    pub source: Option<Sources>,
    /// Keep records for which this holds, alerts or not, in Falco's language: `k8s.ns.name = prod and not tags intersects (noise)`.
    pub condition: Option<ConditionConfig>,
    /// What happens to records that are no alerts.
    pub non_alerts: NonAlerts,
}

/// One source or several, such as `syscall` or `[syscall, k8s_audit]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Sources {
    One(String),
    Several(Vec<String>),
}

/// What happens to records that are no alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NonAlerts {
    /// They pass.
    #[default]
    Keep,
    /// They are left out and counted.
    Drop,
}

/// A checked config.
pub struct Plan {
    pub(super) min_priority: Option<Priority>,
    pub(super) require_tags: Vec<String>,
    pub(super) exclude_tags: Vec<String>,
    pub(super) rule: Option<Pattern>,
    pub(super) output: Option<Pattern>,
    /// Empty when any source will do.
    pub(super) sources: Vec<String>,
    pub(super) condition: Option<Condition>,
    pub(super) drop_others: bool,
    /// What all of these look at.
    pub(super) reads: Reads,
}

#[derive(Debug, thiserror::Error)]
#[error("no key is set, so everything passes; set for example `min_priority: warning`, or take the filter out")]
struct NoCondition;

#[derive(Debug, thiserror::Error)]
#[error("`{tag}` is both required and excluded, so no alert can pass; take it out of one list")]
struct Contradiction {
    tag: String,
}

#[derive(Debug, thiserror::Error)]
#[error("the list is empty, so no alert can pass; name a source, for example `syscall`, or leave `source` out")]
struct NoSource;

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let mut valid = true;
        if let Some(tag) = self.require_tags.iter().find(|tag| self.exclude_tags.contains(tag)) {
            cx.error("exclude_tags", Contradiction { tag: tag.clone() });
            valid = false;
        }
        if self.source == Some(Sources::Several(Vec::new())) {
            cx.error("source", NoSource);
            valid = false;
        }
        let written = self.condition.is_some();
        let condition = self.condition.and_then(|condition| condition.compile("condition", cx));
        valid &= condition.is_some() == written;
        let mut plan = Plan {
            min_priority: self.min_priority,
            require_tags: self.require_tags,
            exclude_tags: self.exclude_tags,
            rule: self.rule,
            output: self.output,
            sources: match self.source {
                None => Vec::new(),
                Some(Sources::One(source)) => vec![source],
                Some(Sources::Several(sources)) => sources,
            },
            condition,
            drop_others: self.non_alerts == NonAlerts::Drop,
            reads: Reads::default(),
        };
        plan.reads = plan.what_it_reads();
        if valid && plan.passes_everything() {
            cx.warning("", NoCondition);
        }
        valid.then_some(plan)
    }
}

impl Plan {
    fn passes_everything(&self) -> bool {
        self.condition.is_none() && !self.recognises()
    }

    /// Whether it makes a difference to it that a record is an alert.
    pub(super) fn recognises(&self) -> bool {
        self.min_priority.is_some()
            || !self.require_tags.is_empty()
            || !self.exclude_tags.is_empty()
            || self.rule.is_some()
            || self.output.is_some()
            || !self.sources.is_empty()
            || self.drop_others
    }

    fn what_it_reads(&self) -> Reads {
        let of_alerts: Reads = match self.recognises() {
            true => recognised_by().into_iter().chain([keys::TAGS.clone()]).collect(),
            false => Reads::default(),
        };
        let of_alerts = Reads { body: self.output.is_some(), ..of_alerts };
        self.condition.iter().fold(of_alerts, |all, condition| all.union(&condition.reads()))
    }
}
