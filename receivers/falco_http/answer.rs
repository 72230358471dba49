//! What senders are told; falcosidekick's texts where it has one.

use crate::requests::Answer;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use std::time::Duration;

/// Taken.
pub(super) fn accepted() -> Answer {
    Response::new(Full::default())
}

/// Nothing of the body was an alert.
pub(super) fn invalid_body() -> Answer {
    text(StatusCode::BAD_REQUEST, "Please send a valid request body\n")
}

/// A path for alerts was asked with something else than POST. Not 405: falcosidekick answers 400.
pub(super) fn not_post() -> Answer {
    text(StatusCode::BAD_REQUEST, "Please send with post http method\n")
}

pub(super) fn pong() -> Answer {
    text(StatusCode::OK, "pong\n")
}

pub(super) fn healthy() -> Answer {
    with_type(StatusCode::OK, "application/json", Bytes::from_static(b"{\"status\": \"ok\"}"))
}

/// Try again, for senders that do.
pub(super) fn unavailable(retry_after: Duration) -> Answer {
    let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, "The pipeline is full, try again later\n");
    let seconds = retry_after.as_millis().div_ceil(1000).clamp(1, 3600);
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds as u64));
    answer
}

/// Any other refusal.
pub(super) fn refused(status: StatusCode, why: &impl std::fmt::Display) -> Answer {
    with_type(status, "text/plain; charset=utf-8", Bytes::from(format!("{why}\n")))
}

fn text(status: StatusCode, text: &'static str) -> Answer {
    with_type(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

fn with_type(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
