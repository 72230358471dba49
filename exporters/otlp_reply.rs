//! What an OTLP server may say in a reply, common to gRPC and HTTP: partial success, `google.rpc.Status` and its
//! `RetryInfo`.
//!
//! Promises: whatever the bytes, nothing panics; text is bounded and on one line; a delay is at most
//! [`LONGEST_DELAY`], so that a hostile or broken server cannot park the queue for years.

use lanner_engine::{component::Outcome, net::client::peer_text, prelude::Request, telemetry::Telemetry};
use prost::Message;
use std::time::Duration;

/// Longest delay of a server that is honoured.
pub const LONGEST_DELAY: Duration = Duration::from_secs(3600);

/// `Export{Logs,Metrics,Trace}ServiceResponse`: the three have the same shape.
#[derive(Clone, PartialEq, Message)]
pub struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<PartialSuccess>,
}

/// `Export{Logs,Metrics,Trace}PartialSuccess`.
#[derive(Clone, PartialEq, Message)]
pub struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub rejected: i64,
    /// Bytes on purpose: text that is not UTF-8 must not make the rest unreadable.
    #[prost(bytes = "vec", tag = "2")]
    pub error_message: Vec<u8>,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(bytes = "vec", tag = "2")]
    pub message: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub struct Any {
    #[prost(string, tag = "1")]
    pub type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfoMessage {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<DelayMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct DelayMessage {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The server asks for the same request again, not before `delay` when it named one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryInfo {
    pub delay: Option<Duration>,
}

impl RpcStatus {
    /// The `google.rpc.RetryInfo` among the details.
    pub fn retry_info(&self) -> Option<RetryInfo> {
        const NAME: &str = "google.rpc.RetryInfo";
        let any = self.details.iter().find(|any| any.type_url.rsplit('/').next() == Some(NAME))?;
        let info = RetryInfoMessage::decode(&any.value[..]).ok()?;
        let delay = info.retry_delay.and_then(|delay| {
            let seconds = u64::try_from(delay.seconds).ok()?;
            let nanos = u32::try_from(delay.nanos).ok()?.min(999_999_999);
            Some(Duration::new(seconds, nanos).min(LONGEST_DELAY))
        });
        Some(RetryInfo { delay: delay.filter(|delay| !delay.is_zero()) })
    }
}

/// Replies of sinks that deserve a look: each is a sink that says something odd about data it took.
pub struct ReplyCounters {
    unreadable: lanner_engine::telemetry::Counter,
    warnings: lanner_engine::telemetry::Counter,
}

impl ReplyCounters {
    /// The counters of the exporter `id`.
    pub fn new(telemetry: &Telemetry, id: &str) -> Self {
        Self {
            unreadable: telemetry.counter(
                "lanner_exporter_unreadable_replies",
                "Replies that said success and could not be read further; the request counts as delivered.",
                "{reply}",
                &[("exporter", id)],
            ),
            warnings: telemetry.counter(
                "lanner_exporter_sink_warnings",
                "Successful replies that carried a warning of the sink.",
                "{reply}",
                &[("exporter", id)],
            ),
        }
    }

    /// What a successful reply with this response message came to.
    pub fn success(&self, response: Result<ExportResponse, Unreadable>, request: &Request) -> Outcome {
        let partial = match response {
            Ok(response) => response.partial_success.unwrap_or_default(),
            Err(unreadable) => {
                self.unreadable.add(1);
                tracing::warn!(%unreadable, "the sink accepted a request with a reply that cannot be read");
                return Outcome::Delivered;
            }
        };
        let rejected = usize::try_from(partial.rejected).unwrap_or(0).min(request.items());
        if rejected > 0 {
            return Outcome::Partial { rejected, reason: peer_text(&partial.error_message) };
        }
        if !partial.error_message.is_empty() {
            self.warnings.add(1);
            tracing::warn!(warning = peer_text(&partial.error_message), "the sink accepted a request with a warning");
        }
        Outcome::Delivered
    }
}

/// Why the message of a successful reply was not read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("it is no OTLP response: {0}")]
    Protobuf(#[from] prost::DecodeError),
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    #[error("it is compressed, which was not offered")]
    Compressed,
    #[error("it was cut: {0}")]
    Cut(String),
}

/// An error with its causes, bounded and on one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    peer_text(text.as_bytes())
}
