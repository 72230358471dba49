//! The configuration of `kafka` as it is written; `check` makes a plan of it.

use crate::{formats::Semantics, size::Size};
use lanner_engine::{
    config::Duration,
    net::{
        kafka::{AuthConfig, CLIENT_ID},
        tls::ClientTlsConfig,
    },
    prelude::*,
};

/// Keys of the Collector.
const NOT_OFFERED: [(&str, &str); 14] = [
    ("topic", "an older key; write `logs.topics`, `metrics.topics` or `traces.topics`"),
    ("encoding", "an older key; write `logs.encoding`, `metrics.encoding` or `traces.encoding`"),
    ("autocommit", "offsets are committed after the pipelines have the messages; remove the key"),
    ("message_marking", "offsets are committed after the pipelines have the messages; remove the key"),
    ("error_backoff", "a full pipeline is waited for, with the partitions paused; remove the key"),
    ("header_extraction", "headers of messages are not kept; remove the key"),
    ("group_instance_id", "members are found out by their heartbeats; remove the key"),
    ("group_rebalance_strategy", "partitions move one by one (cooperative-sticky); remove the key"),
    ("protocol_version", "the version is found out; remove the key"),
    ("resolve_canonical_bootstrap_servers_only", "needed for Kerberos only; remove the key"),
    ("metadata", "topics and leaders are looked up as needed; remove the key"),
    ("min_fetch_size", "messages are fetched as they come; remove the key"),
    ("max_fetch_size", "write `max_message_size`"),
    ("default_fetch_size", "write `max_message_size`"),
];

/// Takes messages from Kafka.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-offered" = NOT_OFFERED))]
pub struct Config {
    /// Brokers to begin with, as `host:port`; the others are learned from them.
    pub brokers: Vec<String>,
    /// How this client calls itself.
    pub client_id: String,
    /// Who shares the partitions, and whose offsets are kept: one for all Lanners that do the same work.
    pub group_id: String,
    /// Where a group begins that has no offsets yet.
    pub initial_offset: InitialOffset,
    /// After this time without a heartbeat others get the partitions; within what the brokers allow.
    pub session_timeout: Duration,
    /// How often to say that we are alive; at most a third of `session_timeout`.
    pub heartbeat_interval: Duration,
    /// Longest message; a longer one is skipped and counted. A number of bytes, or with a unit.
    pub max_message_size: Size,
    pub logs: LogsConfig,
    pub metrics: MetricsConfig,
    pub traces: TracesConfig,
    /// How events become records.
    pub semantics: Semantics,
    pub auth: AuthConfig,
    /// Switches TLS on; needs a build with `kafka-tls`. Without a CA the operating system's are trusted.
    pub tls: Option<ClientTlsConfig>,
}

/// Where a group begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InitialOffset {
    /// With what comes from then on.
    #[default]
    Latest,
    /// With the oldest message that is there.
    Earliest,
}

/// Which topics hold logs, and how.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogsConfig {
    /// The topics; read when the receiver is in a pipeline of logs.
    pub topics: Vec<String>,
    /// What a message holds.
    pub encoding: LogsEncoding,
}

/// Which topics hold metrics, and how.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// The topics; read when the receiver is in a pipeline of metrics.
    pub topics: Vec<String>,
    /// What a message holds.
    pub encoding: OtlpEncoding,
}

/// Which topics hold traces, and how.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TracesConfig {
    /// The topics; read when the receiver is in a pipeline of traces.
    pub topics: Vec<String>,
    /// What a message holds.
    pub encoding: OtlpEncoding,
}

/// What a message of logs holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogsEncoding {
    /// An OTLP request in protobuf, as the Collector writes it.
    #[default]
    OtlpProto,
    /// An OTLP request in JSON.
    OtlpJson,
    /// An alert, as Falco and falcosidekick write it.
    FalcoJson,
    /// A Kubernetes audit event or EventList.
    K8sAudit,
    /// A JSON object; it becomes the body of the record.
    Json,
    /// Text; it becomes the body of the record.
    Text,
}

/// What a message of metrics or traces holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OtlpEncoding {
    /// An OTLP request in protobuf, as the Collector writes it.
    #[default]
    OtlpProto,
    /// An OTLP request in JSON.
    OtlpJson,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            brokers: vec!["localhost:9092".to_owned()],
            client_id: CLIENT_ID.to_owned(),
            group_id: CLIENT_ID.to_owned(),
            initial_offset: InitialOffset::Latest,
            session_timeout: Duration::from_secs(10),
            heartbeat_interval: Duration::from_secs(3),
            max_message_size: Size(16 << 20),
            logs: LogsConfig::default(),
            metrics: MetricsConfig::default(),
            traces: TracesConfig::default(),
            semantics: Semantics::default(),
            auth: AuthConfig::default(),
            tls: None,
        }
    }
}

impl Default for LogsConfig {
    fn default() -> Self {
        Self { topics: vec!["otlp_logs".to_owned()], encoding: LogsEncoding::OtlpProto }
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { topics: vec!["otlp_metrics".to_owned()], encoding: OtlpEncoding::OtlpProto }
    }
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self { topics: vec!["otlp_spans".to_owned()], encoding: OtlpEncoding::OtlpProto }
    }
}
