//! The forms of known sinks. Each knows its content type, its token header, its limits and what its answers mean.

mod alertmanager;
mod datadog;
mod discord;
mod elasticsearch;
mod loki;
mod mattermost;
mod opsgenie;
mod splunk;
mod teams;

use super::shape::Shape;
use lanner_engine::prelude::*;

pub use elasticsearch::IndexPattern;

/// A sink whose form is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Alertmanager, API v2; the exporter `alertmanager` does more.
    Alertmanager,
    /// Datadog's log intake, v2.
    DatadogLogs,
    /// A Discord webhook.
    Discord,
    /// Elasticsearch's or OpenSearch's bulk API.
    Elasticsearch,
    /// Grafana Loki's push API; needs structured metadata (Loki 3).
    Loki,
    /// An incoming webhook of Mattermost.
    Mattermost,
    /// Opsgenie's alert API, v2.
    Opsgenie,
    /// Splunk's HTTP event collector.
    SplunkHec,
    /// A workflow of Microsoft Teams that posts Adaptive Cards.
    Teams,
}

impl Preset {
    /// Added to a URL without a path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Alertmanager => "/api/v2/alerts",
            Self::DatadogLogs => "/api/v2/logs",
            Self::Elasticsearch => "/_bulk",
            Self::Loki => "/loki/api/v1/push",
            Self::Opsgenie => "/v2/alerts",
            Self::SplunkHec => "/services/collector/event",
            Self::Discord | Self::Mattermost | Self::Teams => "",
        }
    }

    /// Added to a URL without a query.
    pub const fn query(self) -> Option<&'static str> {
        match self {
            // Of the reply only what is looked at, so that it stays small.
            Self::Elasticsearch => Some("filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"),
            _ => None,
        }
    }

    /// Where the sink is unless `url` says otherwise.
    pub const fn default_url(self) -> &'static str {
        match self {
            Self::DatadogLogs => "https://http-intake.logs.datadoghq.com",
            Self::Opsgenie => "https://api.opsgenie.com",
            _ => "",
        }
    }

    /// Where `index` goes, for the presets that have one.
    pub const fn takes_index(self) -> bool {
        matches!(self, Self::Elasticsearch | Self::SplunkHec)
    }

    /// The shape. `index` is used by those that take one.
    pub fn shape(self, index: Option<IndexPattern>) -> Box<dyn Shape> {
        match self {
            Self::Alertmanager => Box::new(alertmanager::Alertmanager::default()),
            Self::DatadogLogs => Box::new(datadog::DatadogLogs),
            Self::Discord => Box::new(discord::Discord),
            Self::Elasticsearch => Box::new(elasticsearch::Elasticsearch { index: index.unwrap_or_default() }),
            Self::Loki => Box::new(loki::Loki),
            Self::Mattermost => Box::new(mattermost::Mattermost),
            Self::Opsgenie => Box::new(opsgenie::Opsgenie),
            Self::SplunkHec => Box::new(splunk::SplunkHec { index }),
            Self::Teams => Box::new(teams::Teams),
        }
    }
}
