//! Configuration of `event_metrics`.

use super::{
    label::Label,
    metric::{Definition, Output, OutputKind},
    recognise::Match,
    sets::{self, Compat},
    table::Grouping,
};
use lanner_engine::{config::Duration, prelude::*};
use std::collections::{BTreeMap, HashSet};

/// What the user writes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Make `falco.alerts`, `falco.alert.last_seen` and `k8s.audit.events`.
    pub defaults: bool,
    /// More attributes for the default metrics, for example `k8s.namespace.name` or `host.name`; besides attribute names
    /// `workload` (the pod's owner) and `tactic` (`threat.tactic.name`). Each multiplies the number of series.
    pub attributes_opt_in: Vec<String>,
    /// Metrics under the names and labels that existing dashboards use, see below.
    #[schemars(schema_with = "compat_schema")]
    pub compat: Vec<Compat>,
    /// Metrics of one's own, by name.
    pub metrics: BTreeMap<String, MetricConfig>,
    /// Shortest time between two emissions, 10ms to 1m; without new events nothing is emitted but a refresh every minute.
    pub interval: Duration,
    /// Series per metric, 1 to 100000; what comes on top is counted in one series `otel.metric.overflow` = true.
    pub max_series: usize,
    /// A series without events for this time is forgotten; at least 1m. It starts from 1 when it comes back.
    pub expire_after: Duration,
}

/// Both spellings of falco-exporter: its own, and that of our other keys.
fn compat_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let names = ["falcosidekick", "falco", "falco_exporter", "falco-exporter"];
    schemars::json_schema!({"type": "array", "items": {"type": "string", "enum": names}})
}

/// A metric of one's own.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricConfig {
    /// Help text.
    pub description: String,
    /// UCUM unit; `{event}` for a counter and `s` for a time when left out.
    pub unit: Option<String>,
    /// What it tells.
    #[serde(rename = "type")]
    pub kind: OutputKind,
    /// Which events count.
    #[serde(rename = "match")]
    pub events: Match,
    /// Attributes of records or resources to count by; lists are joined with commas.
    pub attributes: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            defaults: true,
            attributes_opt_in: Vec::new(),
            compat: Vec::new(),
            metrics: BTreeMap::new(),
            interval: Duration::from_secs(1),
            max_series: 2000,
            expire_after: Duration::from_secs(3600),
        }
    }
}

/// A checked config: definitions with distinct groupings and distinct metric names.
pub struct Plan {
    pub definitions: Vec<Definition>,
    pub interval: std::time::Duration,
    pub max_series: usize,
    pub expire_after: std::time::Duration,
}

#[derive(Debug, thiserror::Error)]
#[error("there is no metric to make; set `defaults: true` or name one under `metrics`")]
pub struct NoMetric;

#[derive(Debug, thiserror::Error)]
#[error(
    "a metric name begins with a letter and goes on with at most 254 letters, digits, `_`, `.`, `-` and `/`; `{0}` does not"
)]
pub struct MetricName(pub String);

#[derive(Debug, thiserror::Error)]
#[error("the metric `{0}` is in a ready-made set already; give yours another name or switch the set off")]
pub struct TwiceDefined(pub String);

#[derive(Debug, thiserror::Error)]
#[error("an attribute name is empty; write for example `k8s.namespace.name`")]
pub struct NoAttributeName;

#[derive(Debug, thiserror::Error)]
#[error("`{key}` is {value}; it can be {range}")]
pub struct OutOfRange {
    pub key: &'static str,
    pub value: String,
    pub range: &'static str,
}

#[derive(Debug, thiserror::Error)]
#[error("`attributes_opt_in` belongs to the default metrics, which are off; set `defaults: true` or take it out")]
pub struct OptInWithoutDefaults;

impl Config {
    /// Checks everything and reports every problem as (path, error).
    pub fn check(self, report: &mut dyn FnMut(&str, BoxError)) -> Option<Plan> {
        let mut sound = true;
        let mut problem = |path: &str, error: BoxError| {
            sound = false;
            report(path, error);
        };
        self.check_ranges(&mut problem);
        let mut ready_made = Vec::new();
        if self.defaults {
            ready_made = sets::defaults(&self.attributes_opt_in);
        } else if !self.attributes_opt_in.is_empty() {
            problem("attributes_opt_in", Box::new(OptInWithoutDefaults));
        }
        let mut sets_seen = Vec::new();
        for set in &self.compat {
            if !sets_seen.contains(set) {
                sets_seen.push(*set);
                ready_made.extend(sets::compat(*set));
            }
        }
        let names: HashSet<String> =
            ready_made.iter().flat_map(|definition| definition.outputs.iter().map(|o| o.name.clone())).collect();
        let mut definitions: Vec<Definition> = Vec::new();
        ready_made.into_iter().for_each(|definition| join(&mut definitions, definition));
        for (name, metric) in &self.metrics {
            let path = format!("metrics.{name}");
            if !is_metric_name(name) {
                problem(&path, Box::new(MetricName(name.clone())));
            }
            if names.contains(name) {
                problem(&path, Box::new(TwiceDefined(name.clone())));
            }
            for (index, _) in metric.attributes.iter().enumerate().filter(|(_, attribute)| attribute.is_empty()) {
                problem(&format!("{path}.attributes[{index}]"), Box::new(NoAttributeName));
            }
            join(&mut definitions, metric.definition(name));
        }
        for (index, _) in self.attributes_opt_in.iter().enumerate().filter(|(_, attribute)| attribute.is_empty()) {
            problem(&format!("attributes_opt_in[{index}]"), Box::new(NoAttributeName));
        }
        if definitions.is_empty() {
            problem("", Box::new(NoMetric));
        }
        sound.then_some(Plan {
            definitions,
            interval: self.interval.0,
            max_series: self.max_series,
            expire_after: self.expire_after.0,
        })
    }

    fn check_ranges(&self, problem: &mut dyn FnMut(&str, BoxError)) {
        if !(1..=100_000).contains(&self.max_series) {
            let value = self.max_series.to_string();
            problem("max_series", Box::new(OutOfRange { key: "max_series", value, range: "1 to 100000" }));
        }
        if self.interval < Duration::from_millis(10) || self.interval > Duration::from_secs(60) {
            let value = self.interval.to_string();
            problem("interval", Box::new(OutOfRange { key: "interval", value, range: "10ms to 1m" }));
        }
        if self.expire_after < Duration::from_secs(60) {
            let value = self.expire_after.to_string();
            problem("expire_after", Box::new(OutOfRange { key: "expire_after", value, range: "1m or more" }));
        }
    }
}

impl MetricConfig {
    fn definition(&self, name: &str) -> Definition {
        let unit = match (&self.unit, self.kind) {
            (Some(unit), _) => unit,
            (None, OutputKind::Counter) => "{event}",
            (None, OutputKind::LastSeen) => "s",
        };
        let mut labels: Vec<Label> = Vec::new();
        for label in self.attributes.iter().map(|name| Label::attribute(name)) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        Definition {
            grouping: Grouping { events: self.events, labels },
            outputs: vec![Output::new(name, &self.description, unit, self.kind)],
        }
    }
}

/// Adds a definition, sharing the table of an equal grouping.
fn join(definitions: &mut Vec<Definition>, definition: Definition) {
    match definitions.iter_mut().find(|known| known.grouping == definition.grouping) {
        Some(known) => known.outputs.extend(definition.outputs),
        None => definitions.push(definition),
    }
}

/// OpenTelemetry's grammar of instrument names.
fn is_metric_name(name: &str) -> bool {
    let mut letters = name.chars();
    name.len() <= 255
        && letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|letter| letter.is_ascii_alphanumeric() || "_.-/".contains(letter))
}
