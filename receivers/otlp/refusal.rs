//! `Refusal`: why a request was not taken, and the status that says so in each protocol.
//!
//! OTLP clients send again after UNAVAILABLE, 429, 502, 503 and 504 and give up after most others (RESOURCE_EXHAUSTED
//! is repeated only with `RetryInfo`), so the table below decides about loss:
//!
//! | what | gRPC | HTTP | again |
//! |---|---|---|---|
//! | busy, stopping | UNAVAILABLE with `RetryInfo` | 503 with `Retry-After` | yes |
//! | body came too slowly | UNAVAILABLE | 503 | yes; 408 would be given up |
//! | the call's deadline | DEADLINE_EXCEEDED | | yes |
//! | too large | RESOURCE_EXHAUSTED, no `RetryInfo` | 413 | no |
//! | damaged, wrong | INVALID_ARGUMENT | 400 | no |
//! | no pipeline, no such method or path | UNIMPLEMENTED | 404 | no |
//! | unknown compression | UNIMPLEMENTED | 415 | no |
//! | not POST, wrong type | | 405, 415 | no |
//! | credentials | UNAUTHENTICATED | 401 | no |

use super::json::JsonError;
use ::http::StatusCode;
use lanner_engine::{event::otlp::DecodeError, net::BodyError, prelude::*};
use std::time::Duration;

/// What senders are told to wait while stopping: about a restart.
const RESTART: Duration = Duration::from_secs(5);

/// gRPC status codes that this receiver answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// Why a request was not taken. The text is for the sender.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Engine(#[from] Refused),
    #[error("the request is larger than {limit} bytes, as sent or unpacked; send less at once or raise {key}")]
    TooLarge { limit: usize, key: &'static str },
    #[error(transparent)]
    Body(BodyError),
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error("not a gRPC call with one message: {0}")]
    Frame(&'static str),
    #[error("{0} are not collected here; add this receiver to a {0} pipeline")]
    NotConnected(Signal),
    #[error("there is no such path; OTLP has /v1/logs, /v1/metrics and /v1/traces, unless configured otherwise")]
    UnknownPath,
    #[error("there is no such method; OTLP has Export of the logs, metrics and trace services")]
    UnknownMethod,
    #[error("use POST")]
    NotPost,
    #[error("use Content-Type application/x-protobuf or application/json")]
    UnknownType,
    #[error("grpc-encoding is not supported; use gzip, zstd, snappy, deflate or none")]
    UnknownEncoding,
    #[error("the deadline of the call was over before every queue behind had the request")]
    Deadline,
    #[error("credentials are missing or wrong")]
    Unauthenticated,
}

impl Refusal {
    /// Sorts out what reading a body came to. `key` is the configuration key of the size limit.
    pub fn of_body(error: BodyError, key: &'static str) -> Self {
        match error {
            BodyError::Refused(refused) => Self::Engine(refused),
            BodyError::TooLarge { limit } => Self::TooLarge { limit, key },
            error => Self::Body(error),
        }
    }

    /// The status in gRPC.
    pub const fn code(&self) -> Code {
        match self {
            Self::Engine(Refused::Busy { .. } | Refused::Draining) | Self::Body(BodyError::Timeout) => {
                Code::Unavailable
            }
            Self::TooLarge { .. } => Code::ResourceExhausted,
            Self::Body(BodyError::UnsupportedEncoding(_))
            | Self::NotConnected(_)
            | Self::UnknownPath
            | Self::UnknownMethod
            | Self::NotPost
            | Self::UnknownType
            | Self::UnknownEncoding => Code::Unimplemented,
            Self::Deadline => Code::DeadlineExceeded,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Engine(Refused::Invalid(_)) | Self::Body(_) | Self::Malformed(_) | Self::Json(_) | Self::Frame(_) => {
                Code::InvalidArgument
            }
        }
    }

    /// The status in HTTP.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NotPost => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnknownType | Self::UnknownEncoding | Self::Body(BodyError::UnsupportedEncoding(_)) => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            _ => match self.code() {
                Code::InvalidArgument => StatusCode::BAD_REQUEST,
                // HTTP has no deadlines.
                Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
                Code::ResourceExhausted => StatusCode::PAYLOAD_TOO_LARGE,
                Code::Unimplemented => StatusCode::NOT_FOUND,
                Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            },
        }
    }

    /// When to send the same request again; `None` when that is no use or nothing is known.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Engine(Refused::Busy { retry_after, .. }) => Some(*retry_after),
            Self::Engine(Refused::Draining) => Some(RESTART),
            _ => None,
        }
    }

    /// A constant for metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Engine(Refused::Busy { .. }) => "busy",
            Self::Engine(Refused::Draining) => "draining",
            Self::Engine(Refused::Invalid(_)) => "invalid",
            Self::TooLarge { .. } => "too_large",
            Self::Body(error) => error.reason(),
            Self::Malformed(_) | Self::Json(_) => "malformed",
            Self::Frame(_) => "malformed_frame",
            Self::NotConnected(_) => "no_pipeline",
            Self::UnknownPath | Self::UnknownMethod => "unknown_path",
            Self::NotPost => "not_post",
            Self::UnknownType => "unknown_type",
            Self::UnknownEncoding => "unsupported_encoding",
            Self::Deadline => "deadline",
            Self::Unauthenticated => "unauthenticated",
        }
    }

    /// Whether nobody but this receiver has seen the data, which is gone unless the sender mends it.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Engine(_) | Self::Deadline | Self::Body(BodyError::Timeout | BodyError::Broken))
    }
}
