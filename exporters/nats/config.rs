//! The configuration of `nats`.

use super::{
    stream::{CreateConfig, StreamConfig},
    subject::Subject,
};
use lanner_engine::{config::Duration, net::tls::ClientTlsConfig, prelude::*};
use lanner_nats::{AuthConfig, Connection, ConnectionKeys, config::DEFAULT_SERVER, jetstream};
use std::ops::RangeInclusive;

/// How long an acknowledgement may be waited for.
const ACK_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(300);
/// Most messages that wait for their acknowledgement.
const IN_FLIGHT: RangeInclusive<u16> = 1..=4096;

/// Publishes records to NATS JetStream.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Servers of one cluster, `nats://host:4222` or `tls://host:4222`; the others are learnt from them.
    pub servers: Vec<String>,
    /// Subject of a record, with fields in braces: `falco.{priority}.{k8s.ns.name}`. A value becomes a part of one word.
    pub subject: String,
    /// How records are written.
    pub encoding: Encoding,
    /// The stream that is to be there.
    pub stream: Option<StreamConfig>,
    pub auth: AuthConfig,
    /// TLS is spoken to `tls://`, with a CA or a certificate of one's own, and when the server asks for it.
    pub tls: ClientTlsConfig,
    /// Begin with TLS, for servers with `handshake_first`.
    pub tls_handshake_first: bool,
    /// Where answers come to; for users that may not subscribe to `_INBOX.>`.
    pub inbox_prefix: String,
    /// How long to wait for the acknowledgement of a message, 100ms to 5m.
    pub ack_timeout: Duration,
    /// Most messages that wait for their acknowledgement at once.
    #[schemars(range(min = 1, max = 4096))]
    pub max_in_flight: u16,
}

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// An OTLP request in protobuf for all records that go to the same subject together.
    #[default]
    OtlpProto,
    /// The same in JSON.
    OtlpJson,
    /// A message for each record, in Falco's JSON.
    FalcoJson,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            servers: vec![DEFAULT_SERVER.to_owned()],
            subject: "falco.{priority}.{rule}".to_owned(),
            encoding: Encoding::default(),
            stream: None,
            auth: AuthConfig::default(),
            tls: ClientTlsConfig::default(),
            tls_handshake_first: false,
            inbox_prefix: "_INBOX".to_owned(),
            ack_timeout: Duration::from_secs(5),
            max_in_flight: 256,
        }
    }
}

/// The checked configuration.
pub struct Plan {
    pub connection: Connection,
    pub subject: Subject,
    pub encoding: Encoding,
    pub stream: Option<StreamConfig>,
    pub ack_timeout: std::time::Duration,
    pub max_in_flight: u16,
}

/// What can be wrong with it.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("`ack_timeout` is outside of 100ms to 5m; write for example `ack_timeout: 5s`")]
    AckTimeout,
    #[error("`max_in_flight` is {0}; choose 1 to 4096")]
    InFlight(u16),
    #[error("this is no name of a stream; write letters, digits, `-` and `_`")]
    StreamName,
    #[error("`subjects` is empty; write what the stream takes, for example `subjects: [falco.>]`")]
    NoSubjects,
    #[error("`{0}` is no pattern of subjects; write words with dots between them, `*` for one word, `>` for the rest")]
    Pattern(String),
    #[error("`duplicate_window` is longer than `max_age`; lower the one or raise the other")]
    WindowBeyondAge,
    #[error("`replicas` is {0}; choose 1 to 5")]
    Replicas(u8),
}

impl Config {
    /// Reports every problem.
    pub fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let mut sound = true;
        let mut refuse = |cx: &mut PlanCx<'_>, path: &str, problem: Problem| {
            cx.error(path, problem);
            sound = false;
        };
        if !ACK_TIMEOUT.contains(&self.ack_timeout) {
            refuse(cx, "ack_timeout", Problem::AckTimeout);
        }
        if !IN_FLIGHT.contains(&self.max_in_flight) {
            refuse(cx, "max_in_flight", Problem::InFlight(self.max_in_flight));
        }
        if let Some(stream) = &self.stream {
            if !jetstream::is_name(&stream.name) {
                refuse(cx, "stream.name", Problem::StreamName);
            }
            if let Some(create) = &stream.create {
                check_create(create, |path, problem| refuse(cx, path, problem));
            }
        }
        let subject = Subject::compile(&self.subject, "subject", cx);
        let keys = ConnectionKeys {
            servers: self.servers,
            auth: self.auth,
            tls: self.tls,
            tls_handshake_first: self.tls_handshake_first,
            inbox_prefix: self.inbox_prefix,
        };
        let connection = keys.check(cx);
        if !sound {
            return None;
        }
        Some(Plan {
            connection: connection?,
            subject: subject?,
            encoding: self.encoding,
            stream: self.stream,
            ack_timeout: self.ack_timeout.0,
            max_in_flight: self.max_in_flight,
        })
    }
}

fn check_create(create: &CreateConfig, mut refuse: impl FnMut(&str, Problem)) {
    if create.subjects.is_empty() {
        refuse("stream.create.subjects", Problem::NoSubjects);
    }
    for (index, pattern) in create.subjects.iter().enumerate() {
        if !is_pattern(pattern) {
            refuse(&format!("stream.create.subjects[{index}]"), Problem::Pattern(pattern.clone()));
        }
    }
    if create.max_age.0 != std::time::Duration::ZERO && create.duplicate_window > create.max_age {
        refuse("stream.create.duplicate_window", Problem::WindowBeyondAge);
    }
    if !(1..=5).contains(&create.replicas) {
        refuse("stream.create.replicas", Problem::Replicas(create.replicas));
    }
}

fn is_pattern(pattern: &str) -> bool {
    let words: Vec<&str> = pattern.split('.').collect();
    let word = |(at, word): (usize, &&str)| match *word {
        "*" => true,
        ">" => at + 1 == words.len(),
        word => jetstream::is_name(word),
    };
    words.iter().enumerate().all(word)
}
