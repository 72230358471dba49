//! What a user writes, and what is checked of it.

use super::{Generator, Source};
use lanner_engine::{config::Duration, prelude::*, semantics::MappingOptions};

/// More than this would mean several alerts per step of the clock for every waiting task.
const MAX_RATE: f64 = 1_000_000.0;

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Alerts per second, up to 1000000; in the `attack` scenario the pace of its steps.
    pub rate: f64,
    /// Stop after this many alerts; 0 goes on for ever.
    pub count: u64,
    /// What is made up.
    pub scenario: Scenario,
    /// From the start of one attack to the start of the next (`scenario: attack`).
    pub interval: Duration,
    /// The same seed gives the same alerts, but for their times.
    pub seed: u64,
    /// How alerts become OpenTelemetry records.
    pub semantics: MappingOptions,
}

/// What is made up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scenario {
    /// One attack on one pod, step by step, again and again.
    #[default]
    Attack,
    /// Everyday alerts of several pods, now and then a step of an attack.
    Mixed,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rate: 1.0,
            count: 0,
            scenario: Scenario::Attack,
            interval: Duration::from_secs(30),
            seed: 0,
            semantics: MappingOptions::default(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{rate} alerts per second cannot be made; write a number above 0 and up to 1000000, for example 1")]
struct Rate {
    rate: f64,
}

/// A checked config.
pub struct Plan {
    config: Config,
}

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        // Also false for NaN.
        if !(self.rate > 0.0 && self.rate <= MAX_RATE) {
            cx.error("rate", Rate { rate: self.rate });
            return None;
        }
        Some(Plan { config: self })
    }
}

#[async_trait]
impl ReceiverPlan for Plan {
    async fn build(self: Box<Self>, _: &BuildCx) -> Result<Box<dyn Receiver>, BoxError> {
        Ok(Box::new(Generator::source(self.config)))
    }
}

impl Generator {
    /// The source itself; needs nothing of its surroundings.
    pub(super) fn source(config: Config) -> Source {
        Source::new(config)
    }
}
