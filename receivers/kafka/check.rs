//! From the configuration of `kafka` to its plan.

use super::config::{Config, InitialOffset, LogsEncoding, OtlpEncoding};
use crate::{
    container::Wrapping,
    formats::{Format, Mapper, Options},
    size::Size,
};
use lanner_engine::{
    config::Duration,
    net::kafka::{Ability, Connection, Settings, check_topic},
    prelude::*,
};
use std::{collections::BTreeMap, ops::RangeInclusive};

const MESSAGE_SIZE: RangeInclusive<u64> = 1024..=64 << 20;
/// Brokers allow 6s to 30min by default.
const SESSION: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(1800);

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
