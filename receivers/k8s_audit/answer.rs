//! What API servers are told. Every answer has a well-formed `Content-Type`: without one their client calls it an error.

use crate::requests::Answer;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

/// Seconds to wait before the next try. The client tries up to ten times inside its 30 s.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("3");

/// Everything is in every queue.
pub(super) fn accepted() -> Answer {
    with_type(StatusCode::OK, "application/json", Bytes::from_static(b"{}"))
}

/// The pipeline is full.
pub(super) fn busy() -> Answer {
    retry(refused(StatusCode::TOO_MANY_REQUESTS, &"the pipeline is full; send the same batch again"))
}

/// The process is stopping.
pub(super) fn draining() -> Answer {
    retry(refused(StatusCode::SERVICE_UNAVAILABLE, &"stopping; send the same batch again"))
}

/// The request needs a token.
pub(super) fn unauthorized() -> Answer {
    let mut answer = refused(StatusCode::UNAUTHORIZED, &"send one of the configured tokens as `Authorization: Bearer`");
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

/// Another method than POST.
pub(super) fn not_post() -> Answer {
    let mut answer = refused(StatusCode::METHOD_NOT_ALLOWED, &"audit events are sent with POST");
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    answer
}

/// Any other refusal.
pub(super) fn refused(status: StatusCode, why: &impl std::fmt::Display) -> Answer {
    with_type(status, "text/plain; charset=utf-8", Bytes::from(format!("{why}\n")))
}

fn retry(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    answer
}

fn with_type(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
