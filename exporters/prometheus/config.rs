//! Configuration of `prometheus`.

use lanner_engine::{
    config::{Duration, ListenAddress},
    exposition::{Labels, names, otlp},
    net::tls::ServerTlsConfig,
    prelude::*,
};
use std::collections::BTreeMap;

/// What the user writes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where `/metrics` is served; `0.0.0.0:9464` for a Prometheus on another machine.
    pub endpoint: ListenAddress,
    /// Serve over TLS.
    pub tls: Option<ServerTlsConfig>,
    /// Put in front of every metric name, except names that a metric asks for exactly.
    pub namespace: String,
    /// Labels on every series that does not have them.
    pub const_labels: BTreeMap<String, String>,
    /// Write the time of each sample. Without, Prometheus takes the time of the scrape.
    pub send_timestamps: bool,
    /// A series without a new point for this time is forgotten; at least 1s.
    pub metric_expiration: Duration,
    pub resource_to_telemetry_conversion: ResourceLabels,
    /// Answer in OpenMetrics 1.0 when the scraper asks for it.
    pub enable_open_metrics: bool,
    /// Add units and `_total` to names.
    pub add_metric_suffixes: bool,
    /// Series held at most, 1 to 1000000; points of further ones are rejected and counted.
    pub max_series: usize,
}

/// What becomes of resource attributes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResourceLabels {
    /// Make a label of every resource attribute, on every series.
    pub enabled: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: ListenAddress::localhost(9464),
            tls: None,
            namespace: String::new(),
            const_labels: BTreeMap::new(),
            send_timestamps: false,
            metric_expiration: Duration::from_secs(300),
            resource_to_telemetry_conversion: ResourceLabels::default(),
            enable_open_metrics: false,
            add_metric_suffixes: true,
            max_series: 10_000,
        }
    }
}

/// A checked config.
pub struct Plan {
    pub endpoint: ListenAddress,
    pub tls: Option<ServerTlsConfig>,
    pub options: otlp::Options,
    pub send_timestamps: bool,
    pub expiration: std::time::Duration,
    pub open_metrics: bool,
    pub max_series: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("`{name}` is no Prometheus label name; use letters, digits and `_`, not a digit or `_` first")]
pub struct LabelName {
    pub name: String,
}

#[derive(Debug, thiserror::Error)]
#[error("`metric_expiration` is {0}; a series must live at least 1s, and longer than the scrape interval to be seen")]
pub struct TooShort(pub Duration);

#[derive(Debug, thiserror::Error)]
#[error("`max_series` is {0}; it can be 1 to 1000000")]
pub struct MaxSeries(pub usize);

impl Config {
    /// Checks everything but `tls` and reports every problem as (path, error).
    pub fn check(self, report: &mut dyn FnMut(&str, BoxError)) -> Option<Plan> {
        let mut sound = true;
        let mut problem = |path: &str, error: BoxError| {
            sound = false;
            report(path, error);
        };
        for name in self.const_labels.keys().filter(|name| names::label(name) != name.as_str()) {
            problem(&format!("const_labels.{name}"), Box::new(LabelName { name: name.clone() }));
        }
        if self.metric_expiration < Duration::from_secs(1) {
            problem("metric_expiration", Box::new(TooShort(self.metric_expiration)));
        }
        if !(1..=1_000_000).contains(&self.max_series) {
            problem("max_series", Box::new(MaxSeries(self.max_series)));
        }
        let const_labels: Labels = self.const_labels.into_iter().collect();
        sound.then_some(Plan {
            endpoint: self.endpoint,
            tls: self.tls,
            options: otlp::Options {
                namespace: self.namespace,
                const_labels,
                suffixes: self.add_metric_suffixes,
                resource_labels: self.resource_to_telemetry_conversion.enabled,
            },
            send_timestamps: self.send_timestamps,
            expiration: self.metric_expiration.0,
            open_metrics: self.enable_open_metrics,
            max_series: self.max_series,
        })
    }
}
