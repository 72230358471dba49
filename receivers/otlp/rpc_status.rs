//! `google.rpc.Status` with `google.rpc.RetryInfo`: how OTLP servers explain an error.

use super::refusal::Refusal;
use prost::Message;
use std::time::Duration;

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
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

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
pub struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
pub struct Delay {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl RpcStatus {
    /// What a sender is told.
    pub fn of(refusal: &Refusal) -> Self {
        let details = refusal.retry_after().map(Self::retry_info);
        Self { code: refusal.code() as i32, message: refusal.to_string(), details: details.into_iter().collect() }
    }

    fn retry_info(after: Duration) -> Any {
        let seconds = i64::try_from(after.as_secs()).unwrap_or(i64::MAX);
        // Below 10^9, so it fits.
        let nanos = after.subsec_nanos() as i32;
        let info = RetryInfo { retry_delay: Some(Delay { seconds, nanos }) };
        Any { type_url: RETRY_INFO.into(), value: info.encode_to_vec() }
    }
}
