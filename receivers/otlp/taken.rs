//! `Taken`: what became of a request that was not refused, and the response that says so.
//!
//! OTLP calls it partial success: the sender must not send again, because the rest would come twice, and is told how
//! many records are missing and why.

use bytes::Bytes;
use prost::Message;

/// A request of which at least something was taken, or that was empty.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    All,
    /// Everything but `rejected` records, which cannot be read.
    Partly {
        rejected: usize,
        why: String,
    },
}

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
    #[prost(string, tag = "2")]
    pub error_message: String,
}

impl Taken {
    /// The response in protobuf; nothing when everything was taken.
    pub fn to_protobuf(&self) -> Bytes {
        match self {
            Self::All => Bytes::new(),
            Self::Partly { rejected, why } => {
                let rejected = i64::try_from(*rejected).unwrap_or(i64::MAX);
                let partial_success = Some(PartialSuccess { rejected, error_message: why.clone() });
                ExportResponse { partial_success }.encode_to_vec().into()
            }
        }
    }

    /// The response in JSON. Only log records are ever left out.
    pub fn to_json(&self) -> Bytes {
        match self {
            Self::All => Bytes::from_static(b"{}"),
            Self::Partly { rejected, why } => {
                let partial = serde_json::json!({"rejectedLogRecords": rejected.to_string(), "errorMessage": why});
                serde_json::json!({ "partialSuccess": partial }).to_string().into()
            }
        }
    }
}
