//! Overrides: what the configuration knows better about some records.
//!
//! Promises: an override fits when its rule, its tags and its condition all do; those that fit are put together in their
//! order, and of what several say the last counts.

use super::{compliance::Controls, recommendations::Recommendation, rule, texts};
use crate::globs;
use lanner_conditions::{Condition, ConditionConfig, Seen};
use lanner_engine::{
    prelude::*,
    semantics::{category::Category, keys, threat::Threat},
};

/// What the configuration knows better, and about which records.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OverrideConfig {
    /// The rule, by name or with wildcards.
    pub rule: Option<String>,
    /// Tags that the rule has, all of them.
    pub tags: Vec<String>,
    /// A condition in Falco's language, such as `k8s.ns.name = prod and proc.name in (sh, bash)`.
    pub condition: Option<ConditionConfig>,
    /// What is to be.
    pub set: Set,
}

/// What an override replaces.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Set {
    /// How urgent it is. The former priority goes to `lanner.priority.original`.
    pub priority: Option<Priority>,
    /// The first category.
    pub category: Option<Category>,
    /// ATT&CK tactics: `TA0002` or `mitre_execution`; `[]` takes them away.
    pub tactics: Option<Vec<String>>,
    /// ATT&CK techniques: `T1059` or `T1059.004`; `[]` takes them away.
    pub techniques: Option<Vec<String>>,
    /// Controls by framework: `pci_dss: [11.5.1]`, also where `compliance` does not ask for it.
    pub compliance: Option<Controls>,
    /// What to do.
    pub recommendation: Option<AdviceConfig>,
}

/// A recommendation of its own.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdviceConfig {
    /// Its name in `lanner.recommendation.id`.
    pub id: String,
    /// Shown as it is, without values of the event.
    pub text: String,
}

#[derive(Debug, thiserror::Error)]
#[error("the override does not say which records it is for; write `rule`, `tags` or `condition`")]
struct ForNothing;

#[derive(Debug, thiserror::Error)]
#[error("the override sets nothing; write for example `set: {{ priority: critical }}`")]
struct SetsNothing;

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no tactic; write for example `TA0002` or `mitre_execution`")]
struct NoTactic(String);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no technique; write for example `T1059` or `T1059.004`")]
struct NoTechnique(String);

/// A checked override.
pub(super) struct Override {
    rule: Option<globs::Name>,
    tags: Vec<String>,
    condition: Option<Condition>,
    set: Set,
    recommendation: Option<Recommendation>,
}

impl OverrideConfig {
    pub(super) fn check(self, path: &str, cx: &mut PlanCx<'_>) -> Option<Override> {
        let mut sound = true;
        if self.rule.is_none() && self.tags.is_empty() && self.condition.is_none() {
            cx.error(path, ForNothing);
            sound = false;
        }
        if self.set == Set::default() {
            cx.error(path, SetsNothing);
            sound = false;
        }
        for (index, id) in self.set.tactics.iter().flatten().enumerate() {
            if !matches!(Threat::of_tag(id), Some(Threat::Tactic(_))) {
                cx.error(&format!("{path}.set.tactics[{index}]"), NoTactic(id.clone()));
                sound = false;
            }
        }
        for (index, id) in self.set.techniques.iter().flatten().enumerate() {
            if !matches!(Threat::of_tag(id), Some(Threat::Technique(_) | Threat::Subtechnique(_))) {
                cx.error(&format!("{path}.set.techniques[{index}]"), NoTechnique(id.clone()));
                sound = false;
            }
        }
        let rule = self.rule.map(|rule| globs::Name::check(&rule, &format!("{path}.rule"), cx));
        let condition = self.condition.map(|condition| condition.compile(&format!("{path}.condition"), cx));
        // A part that is there and wrong makes the whole wrong.
        let (rule, condition) =
            (rule.map_or(Some(None), |rule| rule.map(Some)), condition.map_or(Some(None), |c| c.map(Some)));
        let recommendation =
            self.set.recommendation.as_ref().map(|advice| Recommendation::new(&advice.id, &advice.text));
        Some(Override { rule: rule?, tags: self.tags, condition: condition?, set: self.set, recommendation })
            .filter(|_| sound)
    }
}

impl Override {
    fn fits(&self, seen: Seen<'_>) -> bool {
        let has_tag = |wanted: &String| texts(&seen.record.attrs, &keys::TAGS).any(|tag| tag == wanted);
        self.rule.as_ref().is_none_or(|name| name.is_match(rule(seen.record)))
            && self.tags.iter().all(has_tag)
            && self.condition.as_ref().is_none_or(|condition| condition.holds(seen))
    }
}

/// The overrides that fit a record, put together.
#[derive(Default)]
pub(super) struct Verdict<'o> {
    pub priority: Option<Priority>,
    pub category: Option<Category>,
    pub tactics: Option<&'o [String]>,
    pub techniques: Option<&'o [String]>,
    pub compliance: Option<&'o Controls>,
    pub recommendation: Option<&'o Recommendation>,
}

impl<'o> Verdict<'o> {
    pub fn of(overrides: &'o [Override], seen: Seen<'_>) -> Self {
        let mut verdict = Self::default();
        for Override { set, recommendation, .. } in overrides.iter().filter(|one| one.fits(seen)) {
            verdict = Self {
                priority: set.priority.or(verdict.priority),
                category: set.category.or(verdict.category),
                tactics: set.tactics.as_deref().or(verdict.tactics),
                techniques: set.techniques.as_deref().or(verdict.techniques),
                compliance: set.compliance.as_ref().or(verdict.compliance),
                recommendation: recommendation.as_ref().or(verdict.recommendation),
            };
        }
        verdict
    }
}
