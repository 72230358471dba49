//! From the configuration of `kafka` to its plan.

use super::config::{Codec, Config, LogsEncoding, OtlpEncoding};
use lanner_engine::{
    config::Duration,
    net::kafka::{Ability, Connection, Settings, check_topic},
    prelude::*,
};
use std::ops::RangeInclusive;

/// Sizes that Kafka's client takes, and that fit into memory several times.
const MESSAGE_BYTES: RangeInclusive<usize> = 1000..=64 << 20;
/// Longer ones cost latency and win nothing.
const LINGER: RangeInclusive<Duration> = Duration::from_millis(0)..=Duration::from_millis(5000);

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
