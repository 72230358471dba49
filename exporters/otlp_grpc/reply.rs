//! Reading a gRPC reply.
//!
//! Promises: at most [`REPLY_LIMIT`] bytes are read; nothing a server sends makes this panic (tonic's own reader
//! panics on details that are not base64); the status is told apart from a broken connection by type.

use crate::otlp_reply::{ExportResponse, RpcStatus, Unreadable, chain};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use lanner_engine::net::client::peer_text;
use prost::Message;
use tonic::Code;

/// Longest reply that is read.
pub const REPLY_LIMIT: usize = 4 << 20;

/// A reply that came in whole.
pub struct Reply {
    pub code: Code,
    /// Fit for showing.
    pub message: String,
    /// The decoded `grpc-status-details-bin`.
    pub details: RpcStatus,
    /// The response message, worth something when the code is OK.
    pub response: Result<ExportResponse, Unreadable>,
}

/// No reply that could be used.
#[derive(Debug, thiserror::Error)]
pub enum NoReply {
    #[error("the connection failed: {0}")]
    Transport(String),
    /// Not tried again: the next reply would be as long.
    #[error("the reply is longer than {REPLY_LIMIT} bytes")]
    TooLong,
}

/// Reads the reply behind a response head.
///
/// # Errors
/// The connection broke, or the reply is too long.
pub async fn read(response: http::Response<hyper::body::Incoming>) -> Result<Reply, NoReply> {
    let (head, body) = response.into_parts();
    if head.headers.contains_key("grpc-status") {
        return Ok(from_trailers(&head.headers, Bytes::new()));
    }
    if head.status != StatusCode::OK {
        let message = format!("HTTP status {} instead of a gRPC reply", head.status.as_u16());
        return Ok(Reply { code: code_of_http(head.status), message, ..Reply::bare() });
    }
    let collected = match Limited::new(body, REPLY_LIMIT).collect().await {
        Ok(collected) => collected,
        Err(error) if error.is::<LengthLimitError>() => return Err(NoReply::TooLong),
        Err(error) => return Err(NoReply::Transport(chain(&*error))),
    };
    match collected.trailers() {
        Some(trailers) if trailers.contains_key("grpc-status") => {
            let trailers = trailers.clone();
            Ok(from_trailers(&trailers, collected.to_bytes()))
        }
        // The stream ended before the server said what came of the request.
        _ => Err(NoReply::Transport("the reply ended without a status".into())),
    }
}

impl Reply {
    fn bare() -> Self {
        Self {
            code: Code::Unknown,
            message: String::new(),
            details: RpcStatus::default(),
            response: Ok(ExportResponse::default()),
        }
    }
}

fn from_trailers(trailers: &HeaderMap, body: Bytes) -> Reply {
    /// gRPC says unpadded, many write padded.
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let header = |name| trailers.get(name).map(http::HeaderValue::as_bytes).unwrap_or_default();
    let details = BASE64.decode(header("grpc-status-details-bin")).unwrap_or_default();
    Reply {
        code: Code::from_bytes(header("grpc-status")),
        message: peer_text(&percent_decode(header("grpc-message"))),
        details: RpcStatus::decode(&details[..]).unwrap_or_default(),
        response: message_of(&body),
    }
}

/// Takes the message out of its gRPC frame: a flag, four bytes of length, the message.
fn message_of(body: &Bytes) -> Result<ExportResponse, Unreadable> {
    match body.split_first_chunk::<5>() {
        None => Ok(ExportResponse::default()),
        Some(([0, length @ ..], rest)) => {
            let length = u32::from_be_bytes(*length) as usize;
            let message =
                rest.get(..length).ok_or_else(|| Unreadable::Cut(format!("{} of {length} bytes", rest.len())))?;
            Ok(ExportResponse::decode(message)?)
        }
        Some(_) => Err(Unreadable::Compressed),
    }
}

/// `grpc-message` is percent-encoded. What is no valid escape stays as it is.
fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let escape = behind.get(..2).filter(|_| first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                rest = &behind[2..];
            }
            None => {
                decoded.push(first);
                rest = behind;
            }
        }
    }
    decoded
}

/// gRPC's table for replies that never were gRPC: a proxy answered.
fn code_of_http(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}
