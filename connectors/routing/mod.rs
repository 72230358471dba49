//! `routing` sends each log record to the pipelines of the rows whose condition holds for it.
//!
//! Promises: changes no record; keeps their order within each pipeline; what no row takes goes to `default_pipelines`,
//! and without those it is rejected under the reason `no_route`, never dropped unseen. It holds nothing: an
//! acknowledgement means that every pipeline the request went to has it.
//!
//! The rows are asked in order. `move`, the default, ends the walk; `copy` lets it go on as if the row had not been
//! there, as in the Collector. The engine splits batches and keeps the books (its `delivery/routing.rs`).

mod config;
#[cfg(test)]
mod tests;

pub use config::{Action, Config, Plan, RowConfig};
use lanner_conditions::Seen;
use lanner_engine::prelude::*;

/// The component type.
pub struct Routing;

impl Component for Routing {
    const TYPE: &'static str = "routing";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::ALL;
    const PRODUCES: Signals = Signals::ALL;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

impl Router for Plan {
    fn route(&self, resource: &Resource, record: &LogRecord, routes: &mut Routes) {
        for row in &self.table {
            if row.condition.holds(Seen { resource, record }) {
                routes.extend(&row.routes);
                if row.action == Action::Move {
                    return;
                }
            }
        }
        routes.extend(&self.default);
    }

    fn route_unread(&self, routes: &mut Routes) {
        routes.extend(&self.default);
    }

    fn reads_records(&self) -> bool {
        !self.table.is_empty()
    }
}
