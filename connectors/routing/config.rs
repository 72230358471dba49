//! What a user writes, and what is checked of it.

use lanner_conditions::{Condition, ConditionConfig};
use lanner_engine::{component::PipelineId, prelude::*};

/// Keys of the Collector that have no counterpart here, and what to do instead.
const NOT_OFFERED: [(&str, &str); 2] = [
    ("error_mode", "a condition cannot fail while it runs; remove the key"),
    ("match_once", "rows say it one by one; write `action: copy` in those that shall not be the last for a record"),
];
const NOT_OFFERED_IN_ROWS: [(&str, &str); 2] = [
    ("statement", "there is no OTTL; write a `condition` in Falco's language, for example `priority >= error`"),
    ("context", "a condition sees the record and its resource at once; remove the key"),
];

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-offered" = NOT_OFFERED))]
pub struct Config {
    /// Where records go that no row has moved; metrics and traces always go here, to the pipelines of their signal.
    pub default_pipelines: Vec<PipelineId>,
    /// Rows, asked in order for each log record.
    pub table: Vec<RowConfig>,
}

/// A row of the table.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-not-offered" = NOT_OFFERED_IN_ROWS))]
pub struct RowConfig {
    /// Which records, in Falco's language: `priority >= error and k8s.ns.name = prod`.
    #[schemars(extend("examples" = ["priority >= error"]))]
    pub condition: ConditionConfig,
    /// Where they go. Each of these pipelines lists the connector among its receivers.
    pub pipelines: Vec<PipelineId>,
    /// Whether they go on to the next rows.
    #[serde(default)]
    pub action: Action,
}

/// What happens to a record for which a row's condition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It goes to the row's pipelines and no further.
    #[default]
    Move,
    /// It goes to the row's pipelines, and on to later rows and `default_pipelines` as if the row were not there.
    Copy,
}

/// A checked config.
pub struct Plan {
    pub(super) table: Vec<Row>,
    pub(super) default: Vec<Route>,
}

/// A checked row.
pub(super) struct Row {
    pub condition: Condition,
    pub routes: Vec<Route>,
    pub action: Action,
}

#[derive(Debug, thiserror::Error)]
#[error("no pipeline is named, so nothing would arrive anywhere; write a `table`, or `default_pipelines`")]
struct NoPipelines;

#[derive(Debug, thiserror::Error)]
#[error("the row names no pipeline; name one, or leave records out with a `filter` in front")]
struct EmptyRow;

#[derive(Debug, thiserror::Error)]
#[error(
    "conditions look at log records, and `{pipeline}` takes {signal}; name a logs pipeline, or put it into `default_pipelines`"
)]
struct NotLogs {
    pipeline: PipelineId,
    signal: Signal,
}

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        if self.table.is_empty() && self.default_pipelines.is_empty() {
            cx.error("", NoPipelines);
            return None;
        }
        let numbered = self.default_pipelines.iter().enumerate();
        let default = numbered.map(|(number, id)| cx.routes_to(&format!("default_pipelines[{number}]"), id)).collect();
        let rows = self.table.len();
        let table: Vec<Row> =
            self.table.into_iter().enumerate().filter_map(|(number, row)| row.check(number, cx)).collect();
        (table.len() == rows).then_some(Plan { table, default })
    }
}

impl RowConfig {
    /// Checks all of the row, which is the table's `number`th from 0.
    fn check(self, number: usize, cx: &mut PlanCx<'_>) -> Option<Row> {
        let condition = self.condition.compile(&format!("table[{number}].condition"), cx);
        let place = format!("table[{number}].pipelines");
        if self.pipelines.is_empty() {
            cx.error(&place, EmptyRow);
            return None;
        }
        let mut routes = Vec::with_capacity(self.pipelines.len());
        for (number, pipeline) in self.pipelines.iter().enumerate() {
            let (place, signal) = (format!("{place}[{number}]"), pipeline.signal);
            match signal {
                Signal::Logs => routes.push(cx.routes_to(&place, pipeline)),
                Signal::Metrics | Signal::Traces => {
                    cx.error(&place, NotLogs { pipeline: pipeline.clone(), signal });
                }
            }
        }
        let whole = routes.len() == self.pipelines.len();
        condition.filter(|_| whole).map(|condition| Row { condition, routes, action: self.action })
    }
}
