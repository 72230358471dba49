//! What a user writes, and what is checked of it.

use crate::{
    container::Wrapping,
    formats::{Format, Mapper, Options, Semantics},
};
use lanner_engine::{config::Duration, net::tls::ClientTlsConfig, prelude::*};
use lanner_nats::{
    AuthConfig, Connection, ConnectionKeys,
    config::{DEFAULT_SERVER, is_plain_subject},
    jetstream::is_name,
};
use std::ops::RangeInclusive;

/// How long a message may wait for a full pipeline.
const HOLD: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(600);
/// A message may wait behind another one, and its acknowledgement must arrive.
const WAIT_FACTOR: u32 = 3;
/// Most messages of a fetch.
const MESSAGES: RangeInclusive<u16> = 1..=4096;

/// Takes events from a stream of NATS JetStream.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Servers of one cluster, `nats://host:4222` or `tls://host:4222`; the others are learnt from them.
    pub servers: Vec<String>,
    /// The stream; required.
    pub stream: String,
    /// Name of the durable consumer, which is made if it is missing. Receivers that name the same one share the messages.
    pub consumer: String,
    /// Take only messages of this subject, `*` for one word and `>` for the rest; for a consumer that is made.
    pub filter_subject: Option<String>,
    /// What a message holds.
    pub encoding: Encoding,
    /// How events become records.
    pub semantics: Semantics,
    /// How long a message waits while the pipelines are busy, 10ms to 10m; then it is given back to be delivered again.
    pub hold: Duration,
    /// How long the server waits until it delivers a message again that nobody answered for; at least three times `hold`.
    pub ack_wait: Duration,
    /// After so many deliveries a message is given up, also if the pipelines were busy every time. 0 is no limit.
    pub max_deliver: u32,
    /// Where messages go that cannot be used or are given up; a stream must have the subject. Without it they stay in their stream as
    /// long as that keeps them.
    pub dead_letter_subject: Option<String>,
    /// Most messages that are fetched at once.
    #[schemars(range(min = 1, max = 4096))]
    pub max_messages: u16,
    pub auth: AuthConfig,
    /// TLS is spoken to `tls://`, with a CA or a certificate of one's own, and when the server asks for it.
    pub tls: ClientTlsConfig,
    /// Begin with TLS, for servers with `handshake_first`.
    pub tls_handshake_first: bool,
    /// Where messages come to; for users that may not subscribe to `_INBOX.>`.
    pub inbox_prefix: String,
}

/// What a message holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// An OTLP logs request in protobuf, as the `nats` exporter sends it.
    #[default]
    OtlpProto,
    /// The same in JSON.
    OtlpJson,
    /// An alert in Falco's JSON, as falcosidekick sends it.
    FalcoJson,
    /// A Kubernetes audit event, an EventList or an array of them.
    K8sAudit,
    /// Text; it becomes the body of a record.
    Text,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            servers: vec![DEFAULT_SERVER.to_owned()],
            stream: String::new(),
            consumer: "lanner".to_owned(),
            filter_subject: None,
            encoding: Encoding::default(),
            semantics: Semantics::default(),
            hold: Duration::from_secs(5),
            ack_wait: Duration::from_secs(30),
            max_deliver: 0,
            dead_letter_subject: None,
            max_messages: 256,
            auth: AuthConfig::default(),
            tls: ClientTlsConfig::default(),
            tls_handshake_first: false,
            inbox_prefix: "_INBOX".to_owned(),
        }
    }
}

/// What messages become.
pub enum Decoder {
    OtlpProto,
    OtlpJson,
    /// Anything that is read as a line.
    Line(Box<Mapper>),
}

/// The consumer as it is made.
pub struct ConsumerPlan {
    pub stream: String,
    pub name: String,
    pub filter_subject: Option<String>,
    pub ack_wait: std::time::Duration,
    pub max_messages: usize,
}

/// What becomes of messages.
pub struct Handling {
    pub decoder: Decoder,
    pub hold: std::time::Duration,
    /// 0 is no limit.
    pub max_deliver: u32,
    pub dead_letter_subject: Option<String>,
}

/// A checked config.
pub struct Plan {
    pub connection: Connection,
    pub consumer: ConsumerPlan,
    pub handling: Handling,
}

/// What can be wrong with the configuration.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("`stream` is missing; write for example `stream: FALCO`")]
    NoStream,
    #[error("this is no name of a stream or consumer; write letters, digits, `-` and `_`")]
    Name,
    #[error("this is no subject; write words with dots between them, for example `falco.>`")]
    Filter,
    #[error(
        "this is no subject; write words of letters, digits, `-` and `_` with dots between them, for example `dead.falco`"
    )]
    DeadLetter,
    #[error("`hold` is outside of 10ms to 10m; write for example `hold: 5s`")]
    Hold,
    #[error(
        "`ack_wait` is below {WAIT_FACTOR} times `hold`, so messages would be delivered again while they wait; raise it"
    )]
    AckWait,
    #[error("`max_messages` is {0}; choose 1 to 4096")]
    Messages(u16),
}

impl Config {
    /// Reports every problem.
    pub fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let mut sound = true;
        let mut refuse = |cx: &mut PlanCx<'_>, path: &str, problem: Problem| {
            cx.error(path, problem);
            sound = false;
        };
        if self.stream.is_empty() {
            refuse(cx, "stream", Problem::NoStream);
        }
        for (path, name) in [("stream", &self.stream), ("consumer", &self.consumer)] {
            let is_reported = path == "stream" && name.is_empty();
            if !is_reported && !is_name(name) {
                refuse(cx, path, Problem::Name);
            }
        }
        if self
            .filter_subject
            .as_ref()
            .is_some_and(|filter| !filter.split('.').all(|word| matches!(word, "*" | ">") || is_name(word)))
        {
            refuse(cx, "filter_subject", Problem::Filter);
        }
        if self.dead_letter_subject.as_ref().is_some_and(|subject| !is_plain_subject(subject)) {
            refuse(cx, "dead_letter_subject", Problem::DeadLetter);
        }
        if !HOLD.contains(&self.hold) {
            refuse(cx, "hold", Problem::Hold);
        } else if self.ack_wait.0 < self.hold.0 * WAIT_FACTOR {
            refuse(cx, "ack_wait", Problem::AckWait);
        }
        if !MESSAGES.contains(&self.max_messages) {
            refuse(cx, "max_messages", Problem::Messages(self.max_messages));
        }
        let decoder = decoder(self.encoding, self.semantics, cx);
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
            consumer: ConsumerPlan {
                stream: self.stream,
                name: self.consumer,
                filter_subject: self.filter_subject,
                ack_wait: self.ack_wait.0,
                max_messages: usize::from(self.max_messages),
            },
            handling: Handling {
                decoder: decoder?,
                hold: self.hold.0,
                max_deliver: self.max_deliver,
                dead_letter_subject: self.dead_letter_subject,
            },
        })
    }
}

fn decoder(encoding: Encoding, semantics: Semantics, cx: &mut PlanCx<'_>) -> Option<Decoder> {
    let format = match encoding {
        Encoding::FalcoJson => Format::Falco,
        Encoding::K8sAudit => Format::K8sAudit,
        Encoding::OtlpProto | Encoding::OtlpJson | Encoding::Text => Format::Text,
    };
    let options = Options {
        format,
        container: Wrapping::None,
        non_json: None,
        semantics,
        // What the largest message of a server can be.
        max_line: 64 << 20,
        scope: "lanner.receiver.nats",
    };
    let mapper = options.check(cx)?;
    Some(match encoding {
        Encoding::OtlpProto => Decoder::OtlpProto,
        Encoding::OtlpJson => Decoder::OtlpJson,
        Encoding::FalcoJson | Encoding::K8sAudit | Encoding::Text => Decoder::Line(Box::new(mapper)),
    })
}
