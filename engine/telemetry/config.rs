//! `service.telemetry`: the Collector's keys, as far as Lanner has what they configure. Any other key is an error.

mod check;

pub use check::{LogsPlan, MetricsPlan, OtlpPlan, OutputPath, Pull, TelemetryPlan};

use crate::config::{Duration, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What Lanner tells about itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    pub logs: LogsConfig,
    pub metrics: MetricsConfig,
    pub traces: TracesConfig,
    /// Resource attributes; `null` takes a default one (`service.name`, `service.version`, `service.instance.id`) away.
    pub resource: BTreeMap<String, Option<String>>,
}

/// Lanner's own log.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogsConfig {
    #[schemars(schema_with = "level_schema")]
    pub level: LogLevel,
    pub encoding: LogEncoding,
    /// `stderr`, `stdout` or files, which are appended to.
    pub output_paths: Vec<String>,
    /// Fields on every line.
    pub initial_fields: BTreeMap<String, String>,
    /// Send the log over OTLP as well.
    pub processors: Vec<Processor>,
}

impl Default for LogsConfig {
    fn default() -> Self {
        Self {
            level: LogLevel::default(),
            encoding: LogEncoding::default(),
            output_paths: vec!["stderr".into()],
            initial_fields: BTreeMap::new(),
            processors: Vec::new(),
        }
    }
}

/// Both letter cases: the Collector takes either.
fn level_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let names = ["debug", "info", "warn", "error", "DEBUG", "INFO", "WARN", "ERROR"];
    schemars::json_schema!({"type": "string", "enum": names, "default": "info"})
}

/// The least severe lines that are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    #[serde(alias = "DEBUG")]
    Debug,
    #[default]
    #[serde(alias = "INFO")]
    Info,
    #[serde(alias = "WARN")]
    Warn,
    #[serde(alias = "ERROR")]
    Error,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogEncoding {
    /// Text with `key=value` fields.
    #[default]
    Console,
    /// One JSON object per line.
    Json,
}

/// Lanner's own metrics.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    pub level: MetricsLevel,
    /// Who gets them; by default a Prometheus endpoint at localhost:8888.
    pub readers: Vec<Reader>,
    /// The older way to say where Prometheus scrapes, for example `localhost:8888`.
    pub address: Option<String>,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        let pull = Reader { pull: Some(PullReader::default()), periodic: None };
        Self { level: MetricsLevel::default(), readers: vec![pull], address: None }
    }
}

/// How many metrics. Above `none` all levels are the same so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MetricsLevel {
    /// Nothing is measured or served.
    None,
    Basic,
    #[default]
    Normal,
    Detailed,
}

/// A reader: `pull` or `periodic`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reader {
    pub pull: Option<PullReader>,
    pub periodic: Option<PeriodicReader>,
}

/// Somebody comes for the metrics.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PullReader {
    pub exporter: PullExporter,
}

/// What a pull reader offers.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PullExporter {
    pub prometheus: PrometheusAddress,
}

/// Where Prometheus scrapes `/metrics`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PrometheusAddress {
    pub host: String,
    pub port: u16,
}

impl Default for PrometheusAddress {
    fn default() -> Self {
        Self { host: "localhost".into(), port: 8888 }
    }
}

/// The metrics are sent at intervals.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PeriodicReader {
    /// Time between two exports, at least 1s. The Collector writes milliseconds here; Lanner wants a unit.
    pub interval: Duration,
    pub exporter: PushExporter,
}

impl Default for PeriodicReader {
    fn default() -> Self {
        Self { interval: Duration::from_secs(60), exporter: PushExporter::default() }
    }
}

/// Where something is sent.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PushExporter {
    pub otlp: OtlpConfig,
}

/// An OTLP destination.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OtlpConfig {
    pub protocol: OtlpProtocol,
    /// A URL; by default http://localhost:4317 for `grpc` and http://localhost:4318 for `http/protobuf`.
    pub endpoint: Option<String>,
    /// Headers of every request.
    pub headers: Vec<Header>,
    /// No TLS, where the endpoint does not say `http://` or `https://`.
    pub insecure: bool,
}

/// A header, as the Collector's telemetry writes it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Header {
    pub name: String,
    pub value: Secret,
}

/// How OTLP is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OtlpProtocol {
    #[default]
    #[serde(rename = "grpc")]
    Grpc,
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
}

/// Lanner's own traces; off without a processor.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TracesConfig {
    pub processors: Vec<Processor>,
}

/// A processor: `batch`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Processor {
    pub batch: BatchProcessor,
}

/// Gathers and sends.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BatchProcessor {
    pub exporter: PushExporter,
}
