//! The configuration of `kafka`, as written and as checked.

use lanner_engine::{
    config::Duration,
    net::{
        kafka::{Ability, AuthConfig, CLIENT_ID, Connection, Settings, check_topic},
        tls::ClientTlsConfig,
    },
    prelude::*,
};
use std::ops::RangeInclusive;

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

/// Sizes that Kafka's client takes, and that fit into memory several times.
const MESSAGE_BYTES: RangeInclusive<usize> = 1000..=64 << 20;
/// Longer ones cost latency and win nothing.
const LINGER: RangeInclusive<Duration> = Duration::from_millis(0)..=Duration::from_millis(5000);

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

/// How a signal is written.
pub struct Target {
    pub topic: String,
    pub encoding: LogsEncoding,
}

/// The checked configuration.
pub struct Plan {
    pub connection: Settings,
    /// In the order of `Signal::ALL`.
    pub targets: [Target; 3],
    pub key: Vec<Vec<Key>>,
    pub compression: Codec,
    pub max_message: usize,
    pub linger: std::time::Duration,
    /// How long Kafka's client tries to send a message.
    pub message_limit: std::time::Duration,
}

/// What can be wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("`producer.max_message_bytes` is {0}; choose 1000 to 67108864")]
    MessageBytes(usize),
    #[error("`producer.linger` is above 5s; write for example `linger: 10ms`")]
    Linger,
    #[error("a key of no attributes; write `key: []` to send without keys")]
    EmptyKey,
}

impl From<OtlpEncoding> for LogsEncoding {
    fn from(encoding: OtlpEncoding) -> Self {
        match encoding {
            OtlpEncoding::OtlpProto => Self::OtlpProto,
            OtlpEncoding::OtlpJson => Self::OtlpJson,
        }
    }
}

impl Config {
    /// Reports every problem.
    pub fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let ability = if cfg!(feature = "kafka-tls") { Ability::Tls } else { Ability::Plaintext };
        let connection =
            Connection { brokers: &self.brokers, client_id: &self.client_id, auth: &self.auth, tls: self.tls.as_ref() };
        let connection = connection.check(ability, cx);
        let mut sound = true;
        let topics = [
            ("logs.topic", &self.logs.topic),
            ("metrics.topic", &self.metrics.topic),
            ("traces.topic", &self.traces.topic),
        ];
        for (path, topic) in topics {
            if let Err(invalid) = check_topic(topic) {
                cx.error(path, invalid);
                sound = false;
            }
        }
        let mut refuse = |path: &str, problem: Problem| {
            cx.error(path, problem);
            sound = false;
        };
        if self.logs.key.iter().any(|names| names.iter().all(String::is_empty)) {
            refuse("logs.key", Problem::EmptyKey);
        }
        if !MESSAGE_BYTES.contains(&self.producer.max_message_bytes) {
            refuse("producer.max_message_bytes", Problem::MessageBytes(self.producer.max_message_bytes));
        }
        if !LINGER.contains(&self.producer.linger) {
            refuse("producer.linger", Problem::Linger);
        }
        let key = |names: Vec<String>| names.iter().map(|name| Key::intern(name)).collect();
        let targets = [
            Target { topic: self.logs.topic, encoding: self.logs.encoding },
            Target { topic: self.metrics.topic, encoding: self.metrics.encoding.into() },
            Target { topic: self.traces.topic, encoding: self.traces.encoding.into() },
        ];
        Some(Plan {
            connection: connection?,
            targets,
            key: self.logs.key.into_iter().map(key).collect(),
            compression: self.producer.compression,
            max_message: self.producer.max_message_bytes,
            linger: self.producer.linger.0,
            message_limit: super::MESSAGE_LIMIT,
        })
        .filter(|_| sound)
    }
}
