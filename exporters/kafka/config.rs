//! The configuration of `kafka` as it is written; `check` makes a plan of it.

use lanner_engine::{
    config::Duration,
    net::{
        kafka::{AuthConfig, CLIENT_ID},
        tls::ClientTlsConfig,
    },
    prelude::*,
};

/// Keys of the Collector.
const NOT_OFFERED: [(&str, &str); 11] = [
    ("topic", "an older key; write `logs.topic`, `metrics.topic` or `traces.topic`"),
    ("encoding", "an older key; write `logs.encoding`, `metrics.encoding` or `traces.encoding`"),
    ("topic_from_attribute", "events do not choose topics; write an exporter for each topic and a `routing` connector"),
    ("partition_logs_by_resource_attributes", "write the attributes into `logs.key`"),
    ("partition_logs_by_trace_id", "write the attributes into `logs.key`"),
    ("partition_metrics_by_resource_attributes", "metrics are sent without a key; remove it"),
    ("partition_traces_by_id", "traces are sent without a key; remove it"),
    ("protocol_version", "the version is found out; remove the key"),
    ("resolve_canonical_bootstrap_servers_only", "needed for Kerberos only; remove the key"),
    ("metadata", "topics and leaders are looked up as needed; remove the key"),
    ("include_metadata_keys", "headers of requests are not kept; remove the key"),
];

/// Keys of the Collector's `producer`.
const PRODUCER_NOT_OFFERED: [(&str, &str); 4] = [
    (
        "required_acks",
        "every message is confirmed by all in-sync replicas (`all`), or it would not be safe; remove the key",
    ),
    ("compression_params", "the level is the library's default; remove the key"),
    ("flush_max_messages", "messages leave after `linger`, or when a batch is full; remove the key"),
    ("allow_auto_topic_creation", "that is the broker's to say (`auto.create.topics.enable`); remove the key"),
];

/// Sends to Kafka.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-offered" = NOT_OFFERED))]
pub struct Config {
    /// Brokers to begin with, as `host:port`; the others are learned from them.
    pub brokers: Vec<String>,
    /// How this client calls itself.
    pub client_id: String,
    pub logs: LogsConfig,
    pub metrics: MetricsConfig,
    pub traces: TracesConfig,
    pub producer: ProducerConfig,
    pub auth: AuthConfig,
    /// Switches TLS on; needs a build with `kafka-tls`. Without a CA the operating system's are trusted.
    pub tls: Option<ClientTlsConfig>,
}

/// Where logs go, and how.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogsConfig {
    /// The topic.
    pub topic: String,
    /// What a message holds.
    pub encoding: LogsEncoding,
    /// Attributes that make the key of a message, in order of preference: the first list all of whose attributes a record or
    /// its resource has. Records of one key go to one partition. Without any, messages are spread over the partitions.
    pub key: Vec<Vec<String>>,
}

/// Where metrics go, and how.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// The topic.
    pub topic: String,
    /// What a message holds.
    pub encoding: OtlpEncoding,
}

/// Where traces go, and how.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TracesConfig {
    /// The topic.
    pub topic: String,
    /// What a message holds.
    pub encoding: OtlpEncoding,
}

/// How messages are sent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-not-offered" = PRODUCER_NOT_OFFERED))]
pub struct ProducerConfig {
    /// How batches of messages are compressed.
    pub compression: Codec,
    /// Longest message with its key, 1000 to 67108864; not above what the topic takes (`max.message.bytes`).
    #[schemars(range(min = 1000, max = 67_108_864))]
    pub max_message_bytes: usize,
    /// How long messages wait for others to leave with them, up to 5s.
    pub linger: Duration,
}

/// Compression of Kafka's batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    #[default]
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    /// The word of Kafka's clients.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
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
    /// One event, as Falco and falcosidekick write it.
    FalcoJson,
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
            logs: LogsConfig::default(),
            metrics: MetricsConfig::default(),
            traces: TracesConfig::default(),
            producer: ProducerConfig::default(),
            auth: AuthConfig::default(),
            tls: None,
        }
    }
}

impl Default for LogsConfig {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            topic: "otlp_logs".to_owned(),
            encoding: LogsEncoding::OtlpProto,
            key: vec![names(&["k8s.namespace.name", "k8s.pod.name"]), names(&["container.id"]), names(&["host.name"])],
        }
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { topic: "otlp_metrics".to_owned(), encoding: OtlpEncoding::OtlpProto }
    }
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self { topic: "otlp_spans".to_owned(), encoding: OtlpEncoding::OtlpProto }
    }
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self { compression: Codec::None, max_message_bytes: 1_000_000, linger: Duration::from_millis(10) }
    }
}
