//! `stamp` writes one fixed attribute on every log record.
//!
//! Promises: drops nothing, changes no other field, keeps an existing value unless `overwrite`.
use lanner_engine::prelude::*;

mod config;
#[cfg(test)]
mod tests;
use config::{Config, Plan};

pub struct Stamp;

impl Component for Stamp {
    const TYPE: &'static str = "stamp";
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
        for record in batch.records_mut() {
            if self.overwrite || !record.attrs.contains(&self.key) {
                record.attrs.set(self.key.clone(), self.value.clone());
            }
        }
        out.emit(batch);
    }
}
