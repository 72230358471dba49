//! JetStream's protocol: what is asked, and what the answers mean.
//!
//! Promises: only an answer in JetStream's own shape counts as an acknowledgement; every failure is of exactly one [`Kind`].

use crate::{Message, Rpc};
use async_nats::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use lanner_engine::net::client::peer_text;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value as Json;
use std::time::Duration;

/// JetStream's API.
const API: &str = "$JS.API";
/// Answers are a few hundred bytes; a larger one is not read.
const LARGEST_ANSWER: usize = 1 << 20;
/// Longest text that is used as a message id as it is.
const LONGEST_ID: usize = 256;

/// JetStream's numbers for errors.
pub mod code {
    /// There is no such stream.
    pub const NO_STREAM: u32 = 10059;
    /// There is no such consumer.
    pub const NO_CONSUMER: u32 = 10014;
    /// The message is larger than the stream's `max_msg_size`.
    pub const TOO_LARGE_FOR_STREAM: u32 = 10054;
    /// The stream cannot store it now: it is full and keeps its oldest messages.
    pub const STORE_FAILED: u32 = 10077;
    /// The account has used up its resources.
    pub const ACCOUNT_RESOURCES: u32 = 10002;
}

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("no connection to NATS at {servers}: {reason}; is it running, and does `tls` fit it?")]
    Down { servers: String, reason: String },
    #[error("NATS refuses the login; check `auth`, and with TLS the client's certificate")]
    Login,
    #[error("NATS forbids to publish to `{0}`; allow it in the permissions of the user")]
    Forbidden(String),
    #[error("NATS forbids to subscribe to `{0}.>`; allow it, or set `inbox_prefix` to what is allowed")]
    Inbox(String),
    #[error("the connection broke before the answer came")]
    Lost,
    #[error("no answer within {0:?}")]
    Silent(Duration),
    #[error("nobody answers for `{0}`: no stream has this subject, JetStream is off, or there is no leader at present")]
    NoResponders(String),
    #[error("the message is larger than the server takes ({limit} bytes)")]
    TooLarge { limit: usize },
    #[error("`{0}` is no subject")]
    Subject(String),
    #[error("JetStream refuses: {description} ({status}, {code})")]
    Refused { status: u16, code: u32, description: String },
    #[error("what answers for `{0}` is not JetStream; does another program listen to this subject?")]
    Foreign(String),
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The same may succeed later.
    Retry,
    /// Less may succeed.
    TooLarge,
    /// The same will never succeed.
    Permanent,
}

impl Failure {
    /// What to do after it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Login | Self::Forbidden(_) | Self::Inbox(_) | Self::Subject(_) => Kind::Permanent,
            Self::TooLarge { .. } | Self::Refused { code: code::TOO_LARGE_FOR_STREAM, .. } => Kind::TooLarge,
            Self::Refused { code: code::STORE_FAILED | code::ACCOUNT_RESOURCES, .. } => Kind::Retry,
            Self::Refused { status, .. } if (400..500).contains(status) && *status != 429 => Kind::Permanent,
            Self::Refused { .. } => Kind::Retry,
            Self::Down { .. } | Self::Lost | Self::Silent(_) | Self::NoResponders(_) | Self::Foreign(_) => Kind::Retry,
        }
    }

    /// Whether JetStream gave this number.
    pub fn is(&self, number: u32) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == number)
    }
}

/// An acknowledged message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The stream that has it.
    pub stream: String,
    pub sequence: u64,
    /// The stream had a message of this id already, which counts.
    pub duplicate: bool,
}

/// A message to be published.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    pub subject: String,
    pub payload: Bytes,
    /// By which the stream knows a repetition.
    pub id: Option<String>,
    /// Further headers; what a header cannot hold is replaced.
    pub headers: Vec<(&'static str, String)>,
}

#[derive(Deserialize)]
struct Acknowledgement {
    stream: String,
    seq: u64,
    #[serde(default)]
    duplicate: bool,
}

#[derive(Deserialize)]
struct Refusal {
    error: RefusalBody,
}

#[derive(Deserialize)]
struct RefusalBody {
    code: u16,
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

/// Publishes a message and waits, at most `limit`, until a stream has it.
///
/// # Errors
/// [`Failure`]; unless it is [`Failure::TooLarge`] or a refusal, a stream may have the message all the same.
pub async fn publish(rpc: &Rpc, message: &Outgoing, limit: Duration) -> Result<Published, Failure> {
    let mut headers = HeaderMap::new();
    if let Some(id) = &message.id {
        headers.insert(header::NATS_MESSAGE_ID, header_value(id));
    }
    for (name, value) in &message.headers {
        headers.insert(*name, header_value(value));
    }
    let answer = rpc.call(&message.subject, headers, message.payload.clone(), limit).await?;
    let Acknowledgement { stream, seq, duplicate } = read(&message.subject, &answer)?;
    Ok(Published { stream, sequence: seq, duplicate })
}

/// Asks JetStream's API, for example `STREAM.INFO.events`.
///
/// # Errors
/// [`Failure`].
pub async fn ask<T: DeserializeOwned>(rpc: &Rpc, what: &str, body: &Json, limit: Duration) -> Result<T, Failure> {
    let subject = format!("{API}.{what}");
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    let answer = rpc.call(&subject, HeaderMap::new(), body, limit).await?;
    read(&subject, &answer)
}

/// The subject on which a consumer's messages are asked for.
pub fn next_subject(stream: &str, consumer: &str) -> String {
    format!("{API}.CONSUMER.MSG.NEXT.{stream}.{consumer}")
}

fn read<T: DeserializeOwned>(subject: &str, answer: &Message) -> Result<T, Failure> {
    let foreign = || Failure::Foreign(subject.to_owned());
    if answer.payload.len() > LARGEST_ANSWER {
        return Err(foreign());
    }
    if let Ok(Refusal { error }) = serde_json::from_slice(&answer.payload) {
        let description = peer_text(error.description.as_bytes());
        return Err(Failure::Refused { status: error.code, code: error.err_code, description });
    }
    serde_json::from_slice(&answer.payload).map_err(|_| foreign())
}

/// The text as a header can hold it: on one line, printable, bounded.
fn header_value(text: &str) -> HeaderValue {
    let printable = |letter: char| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '_' };
    let value: String = text.chars().take(LONGEST_ID).map(printable).collect();
    HeaderValue::from(value)
}

/// Whether a text can be a message id as it is; two different texts must not become the same.
pub fn is_plain_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_ID && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether `name` can be the name of a stream or of a consumer.
pub fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic() && !b".*>/\\".contains(&byte);
    !name.is_empty() && name.len() <= 255 && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: u32) -> Kind {
        Failure::Refused { status, code, description: String::new() }.kind()
    }

    /// Scenario: every failure there is.
    /// Guarantee: what time may cure is tried again, what less may cure is too large, everything else is permanent.
    #[test]
    fn every_failure_has_a_kind() {
        let down = Failure::Down { servers: String::new(), reason: String::new() };
        let silent = Failure::Silent(Duration::from_secs(1));
        for failure in [down, silent, Failure::Lost, Failure::NoResponders("a".into()), Failure::Foreign("a".into())] {
            assert_eq!(failure.kind(), Kind::Retry, "{failure}");
        }
        for failure in [Failure::Login, Failure::Forbidden("a".into()), Failure::Inbox("a".into())] {
            assert_eq!(failure.kind(), Kind::Permanent, "{failure}");
        }
        assert_eq!(Failure::TooLarge { limit: 1 }.kind(), Kind::TooLarge);
        assert_eq!([refused(503, 10008), refused(429, 1), refused(400, 10077)], [Kind::Retry; 3]);
        assert_eq!([refused(400, 10054), refused(400, 10071)], [Kind::TooLarge, Kind::Permanent]);
    }

    /// Scenario: texts with line breaks, other alphabets and control characters as header values; names of streams.
    /// Guarantee: a header stays one line; a name that would be another subject is none.
    #[test]
    fn hostile_texts_stay_what_they_are() {
        assert_eq!(header_value("a\r\nX: y\u{1b}ß").as_str(), "a__X: y__");
        assert!(is_plain_id("00ff/x") && !is_plain_id("a b") && !is_plain_id("") && !is_plain_id(&"x".repeat(300)));
        assert!(is_name("EVENTS_1") && !["", "a.b", "a*", ">", "a b", "a/b"].into_iter().any(is_name));
    }
}
