//! What a user writes, and what is checked of it.

use super::{
    classify::CategorySet,
    compliance::Framework,
    overrides::{Override, OverrideConfig},
    parse::{Parser, ParserConfig},
    recommendations::{RecommendationsConfig, Source},
};
use lanner_engine::prelude::*;

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which categories there are.
    pub categories: CategorySet,
    /// Frameworks of which the controls are named that an alert touches, in `lanner.compliance.<framework>`.
    pub compliance: Vec<Framework>,
    /// Gather processes, users, containers, files and addresses in `lanner.indicators.*`.
    pub indicators: bool,
    /// What `lanner.recommendation` says.
    pub recommendations: RecommendationsConfig,
    /// What is taken out of the text of a rule's alerts. They run first.
    pub parsers: Vec<ParserConfig>,
    /// What the configuration knows better. All that fit count; of what several say the last does.
    pub overrides: Vec<OverrideConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            categories: CategorySet::Base,
            compliance: Vec::new(),
            indicators: true,
            recommendations: RecommendationsConfig::default(),
            parsers: Vec::new(),
            overrides: Vec::new(),
        }
    }
}

/// A checked config.
pub struct Plan {
    pub(super) categories: CategorySet,
    pub(super) frameworks: Vec<Framework>,
    pub(super) indicators: bool,
    pub(super) recommendations: Source,
    pub(super) parsers: Vec<Parser>,
    pub(super) overrides: Vec<Override>,
}

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let (parsers, overrides) = (self.parsers.len(), self.overrides.len());
        // Every part is looked at before the first wrong one ends it.
        let checked = Plan {
            parsers: (0..)
                .zip(self.parsers)
                .filter_map(|(index, parser)| parser.check(&format!("parsers[{index}]"), cx))
                .collect(),
            overrides: (0..)
                .zip(self.overrides)
                .filter_map(|(index, one)| one.check(&format!("overrides[{index}]"), cx))
                .collect(),
            categories: self.categories,
            frameworks: self.compliance,
            indicators: self.indicators,
            recommendations: self.recommendations.check("recommendations", cx)?,
        };
        (checked.parsers.len() == parsers && checked.overrides.len() == overrides).then_some(checked)
    }
}
