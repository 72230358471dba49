//! The configuration of `kafka`, as written and as checked.

use crate::{
    container::Wrapping,
    formats::{Format, Mapper, Options, Semantics},
    size::Size,
};
use lanner_engine::{
    config::Duration,
    net::{
        kafka::{Ability, AuthConfig, CLIENT_ID, Connection, Settings, check_topic},
        tls::ClientTlsConfig,
    },
    prelude::*,
};
use std::{collections::BTreeMap, ops::RangeInclusive};

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

const MESSAGE_SIZE: RangeInclusive<u64> = 1024..=64 << 20;
/// Brokers allow 6s to 30min by default.
const SESSION: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(1800);

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

/// How the messages of a topic are read.
pub enum Reading {
    OtlpProto(Signal),
    OtlpJson(Signal),
    /// By the mapper.
    Line,
}

/// The checked configuration.
pub struct Plan {
    pub connection: Settings,
    pub group: String,
    pub initial_offset: InitialOffset,
    pub session: std::time::Duration,
    pub heartbeat: std::time::Duration,
    pub max_message: usize,
    /// The topics of every signal, each once.
    pub topics: BTreeMap<String, (Signal, Reading)>,
    pub mapper: Mapper,
    /// Whether the time of a message is that of the record: its text has none of its own.
    pub stamp: bool,
}

/// What can be wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("`group_id` must be 1 to 249 characters; write for example `group_id: lanner`")]
    Group,
    #[error("`session_timeout` is outside of 1s to 30m; write for example `session_timeout: 10s`")]
    Session,
    #[error(
        "`heartbeat_interval` is 0 or over a third of `session_timeout`; write for example `heartbeat_interval: 3s`"
    )]
    Heartbeat,
    #[error("`max_message_size` is {0}; choose 1024 to 67108864")]
    MessageSize(Size),
    #[error("`{0}` is listed twice; a topic holds one signal, once")]
    Twice(String),
}

impl From<OtlpEncoding> for LogsEncoding {
    fn from(encoding: OtlpEncoding) -> Self {
        match encoding {
            OtlpEncoding::OtlpProto => Self::OtlpProto,
            OtlpEncoding::OtlpJson => Self::OtlpJson,
        }
    }
}

impl LogsEncoding {
    /// What the shared formats call it; OTLP has no lines, and any will do.
    const fn format(self) -> Format {
        match self {
            Self::FalcoJson => Format::Falco,
            Self::K8sAudit => Format::K8sAudit,
            Self::Json => Format::Json,
            Self::OtlpProto | Self::OtlpJson | Self::Text => Format::Text,
        }
    }

    const fn reading(self, signal: Signal) -> Reading {
        match self {
            Self::OtlpProto => Reading::OtlpProto(signal),
            Self::OtlpJson => Reading::OtlpJson(signal),
            Self::FalcoJson | Self::K8sAudit | Self::Json | Self::Text => Reading::Line,
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
        let options = Options {
            format: self.logs.encoding.format(),
            container: Wrapping::None,
            non_json: None,
            semantics: self.semantics.clone(),
            max_line: self.max_message_size.0 as usize,
            scope: "lanner.receiver.kafka",
        };
        let mapper = options.check(cx);
        let topics = self.topics(cx);
        let mut sound = true;
        let mut refuse = |path: &str, problem: Problem| {
            cx.error(path, problem);
            sound = false;
        };
        if !(1..=249).contains(&self.group_id.len()) {
            refuse("group_id", Problem::Group);
        }
        if !SESSION.contains(&self.session_timeout) {
            refuse("session_timeout", Problem::Session);
        } else if self.heartbeat_interval.0.is_zero() || self.heartbeat_interval.0 * 3 > self.session_timeout.0 {
            refuse("heartbeat_interval", Problem::Heartbeat);
        }
        if !MESSAGE_SIZE.contains(&self.max_message_size.0) {
            refuse("max_message_size", Problem::MessageSize(self.max_message_size));
        }
        let plan = Plan {
            connection: connection?,
            group: self.group_id,
            initial_offset: self.initial_offset,
            session: self.session_timeout.0,
            heartbeat: self.heartbeat_interval.0,
            max_message: self.max_message_size.0 as usize,
            topics: topics?,
            mapper: mapper?,
            stamp: matches!(self.logs.encoding, LogsEncoding::Json | LogsEncoding::Text),
        };
        sound.then_some(plan)
    }

    fn topics(&self, cx: &mut PlanCx<'_>) -> Option<BTreeMap<String, (Signal, Reading)>> {
        let signals = [
            (Signal::Logs, "logs.topics", &self.logs.topics, self.logs.encoding),
            (Signal::Metrics, "metrics.topics", &self.metrics.topics, self.metrics.encoding.into()),
            (Signal::Traces, "traces.topics", &self.traces.topics, self.traces.encoding.into()),
        ];
        let (mut topics, mut sound) = (BTreeMap::new(), true);
        for (signal, path, names, encoding) in signals {
            for name in names {
                if let Err(invalid) = check_topic(name) {
                    cx.error(path, invalid);
                    sound = false;
                } else if topics.insert(name.clone(), (signal, encoding.reading(signal))).is_some() {
                    cx.error(path, Problem::Twice(name.clone()));
                    sound = false;
                }
            }
        }
        sound.then_some(topics)
    }
}
