//! `Reply`: what a server answered, and which class that falls into.

use super::{Veil, retry_after::retry_after, time_limit::Over};
use crate::otlp_reply::chain;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Body;
use jiff::Timestamp;
use lanner_engine::{net::client::peer_text, prelude::BoxError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest body that is read where nothing is expected of it.
pub const REPLY_LIMIT: usize = 64 << 10;

/// The statuses after which a request is repeated; `Retry-After` is honoured with each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct RetryStatuses(pub Vec<u16>);

impl Default for RetryStatuses {
    fn default() -> Self {
        Self(vec![408, 425, 429, 500, 502, 503, 504])
    }
}

/// An answer.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The part of the body that was read.
    pub body: Vec<u8>,
    pub end: End,
}

/// How the body of a reply ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Whole,
    /// There was more than was asked for.
    TooLong,
    /// The connection broke, and why.
    Cut(String),
}

/// What became of what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The sink has it.
    Delivered,
    /// To be sent again, not before `after`.
    Retry { after: Option<Duration>, reason: String },
    /// Too large for the sink; a part of it may pass.
    TooLarge { reason: String },
    /// The sink will never take it.
    Reject { reason: String },
    /// The sink takes nothing from us, whatever it holds.
    Refuse { reason: String },
}

/// Whether a status is said of us or of the address, not of what was sent.
pub fn is_about_us(status: StatusCode) -> bool {
    status.is_redirection()
        || matches!(
            status,
            StatusCode::UNAUTHORIZED
                | StatusCode::PAYMENT_REQUIRED
                | StatusCode::FORBIDDEN
                | StatusCode::NOT_FOUND
                | StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::PROXY_AUTHENTICATION_REQUIRED
                | StatusCode::GONE
                | StatusCode::UNSUPPORTED_MEDIA_TYPE
                | StatusCode::MISDIRECTED_REQUEST
                | StatusCode::NOT_IMPLEMENTED
        )
}

impl Reply {
    /// Takes the head and reads the body up to the limit. When the time is over, or the connection breaks, the status is what counts: it has come.
    pub(super) async fn read<B>(response: &mut Response<B>, limit: usize, over: &mut Over<'_>) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
    {
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let (rest, mut body) = (response.body_mut(), Vec::new());
        let end = loop {
            // As of most replies to events; there is nothing to wait for.
            if rest.is_end_stream() {
                break End::Whole;
            }
            match over.or(rest.frame()).await {
                Ok(None) => break End::Whole,
                Ok(Some(Ok(frame))) => {
                    let chunk = frame.into_data().unwrap_or_default();
                    let room = limit - body.len();
                    body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                    if chunk.len() > room {
                        break End::TooLong;
                    }
                }
                Ok(Some(Err(error))) => break End::Cut(chain(&*error.into())),
                Err(late) => break End::Cut(late.to_string()),
            }
        };
        Self { status, headers, body, end }
    }

    /// The class of the status: 2xx is delivered, 413 too large, `retry` says what is repeated, the rest is the
    /// server's last word, about us ([`is_about_us`]) or about what was sent. 403 counts as the latter: firewalls in front of
    /// sinks say so of what looks like an attack, which events often do.
    pub fn verdict(&self, retry: &RetryStatuses, veil: &Veil) -> Verdict {
        if self.status.is_success() {
            return Verdict::Delivered;
        }
        let reason = self.reason(veil);
        match self.status {
            status if retry.0.contains(&status.as_u16()) => self.retry(reason),
            StatusCode::PAYLOAD_TOO_LARGE => Verdict::TooLarge { reason },
            status if status != StatusCode::FORBIDDEN && is_about_us(status) => Verdict::Refuse { reason },
            _ => Verdict::Reject { reason },
        }
    }

    /// To be sent again, when the server says.
    pub fn retry(&self, reason: String) -> Verdict {
        Verdict::Retry { after: self.retry_after(), reason }
    }

    /// How long the server asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers, Timestamp::now())
    }

    /// `HTTP 400 Bad Request: ` and what the server says about it, tamed.
    pub fn reason(&self, veil: &Veil) -> String {
        match self.status.is_redirection() {
            true => self.reason_with(&redirect_text(&self.headers)),
            false => self.reason_with(&veil.peer_text(&self.body)),
        }
    }

    /// The same with a text that is tame.
    pub fn reason_with(&self, told: &str) -> String {
        match told {
            "" => format!("HTTP {}", self.status),
            told => format!("HTTP {}: {told}", self.status),
        }
    }
}

/// What to do about a redirect. Only its host is told: the path is often that of the request, which may be a token.
fn redirect_text(headers: &HeaderMap) -> String {
    let location = headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
    match location.and_then(|location| location.parse::<reqwest::Url>().ok()).filter(reqwest::Url::has_host) {
        Some(url) => {
            let origin = url.origin().ascii_serialization();
            format!("redirects are not followed; to send there, configure its URL at {}", peer_text(origin.as_bytes()))
        }
        None => "redirects are not followed; configure the URL that this one leads to".to_owned(),
    }
}
