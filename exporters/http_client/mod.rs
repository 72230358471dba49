//! What exporters over HTTP share: the client, replies and what a failure looks like.
//!
//! Promises: redirects are not followed and no proxy is used unless configured, so that data goes nowhere but where
//! the config says; at most [`REPLY_LIMIT`] of a reply is read; no text of a failure holds the URL, which may be a secret.

mod retry_after;

use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use lanner_engine::{
    config::Secret,
    net::{client::peer_text, tls::ClientTls},
    prelude::*,
};
use reqwest::{Client, Proxy, Response, redirect::Policy};
pub use retry_after::retry_after;
use std::time::Duration;

/// Longest reply that is read.
pub const REPLY_LIMIT: usize = 64 << 10;
/// Name lookup, TCP and TLS together.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// How long sent bytes may stay unacknowledged before the connection is given up (D12).
const SILENT_LIMIT: Duration = Duration::from_secs(30);

/// Shorter texts are in every reply by chance.
const SHORTEST_SECRET: usize = 8;

/// A client that sends `headers` with every request.
///
/// # Errors
/// A certificate or key cannot be read.
pub fn client(headers: HeaderMap, tls: &ClientTls, proxy: Option<Proxy>) -> Result<Client, BoxError> {
    let mut builder = Client::builder()
        .default_headers(headers)
        .redirect(Policy::none())
        .no_proxy()
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_LIMIT)
        .tcp_user_timeout(SILENT_LIMIT)
        .tcp_nodelay(true);
    if let Some(mut tls) = tls.load()? {
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        builder = builder.tls_backend_preconfigured(tls);
    }
    if let Some(proxy) = proxy {
        builder = builder.proxy(proxy);
    }
    Ok(builder.build()?)
}

/// A reply, as far as it was read.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub end: End,
}

/// How a reply's body ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Whole,
    /// There was more than [`REPLY_LIMIT`].
    TooLong,
    /// The connection broke, and why.
    Cut(String),
}

impl Reply {
    /// Reads the body.
    pub async fn of(mut response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        let end = loop {
            match response.chunk().await {
                Ok(None) => break End::Whole,
                Ok(Some(chunk)) => {
                    let room = REPLY_LIMIT - body.len();
                    body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                    if chunk.len() > room {
                        break End::TooLong;
                    }
                }
                Err(error) => break End::Cut(error_text(error)),
            }
        };
        Self { status, headers, body, end }
    }

    /// Takes secrets out of what will be repeated: a server may echo what it was sent.
    pub fn hide<'s>(&mut self, secrets: impl IntoIterator<Item = &'s str>) {
        let location = self.headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut location = location.unwrap_or_default();
        let mut body = String::from_utf8_lossy(&self.body).into_owned();
        for secret in secrets.into_iter().filter(|secret| secret.len() >= SHORTEST_SECRET) {
            body = body.replace(secret, Secret::REDACTED);
            location = location.replace(secret, Secret::REDACTED);
        }
        self.body = body.into_bytes();
        if let Ok(location) = location.parse() {
            self.headers.insert(header::LOCATION, location);
        }
    }

    /// How long the server asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers, Timestamp::now())
    }

    /// `HTTP 400 Bad Request: ` and what the server says about it.
    pub fn reason(&self) -> String {
        if self.status.is_redirection() {
            let location = self.headers.get(header::LOCATION).map(http::HeaderValue::as_bytes).unwrap_or_default();
            let told =
                format!("redirects are not followed; to send there, set the endpoint to {}", peer_text(location));
            return self.reason_with(&told);
        }
        self.reason_with(&peer_text(&self.body))
    }

    /// The same with a text of one's own.
    pub fn reason_with(&self, told: &str) -> String {
        match told {
            "" => format!("HTTP {}", self.status),
            told => format!("HTTP {}: {told}", self.status),
        }
    }
}

/// A failure with its causes, bounded, on one line and without the URL, whose path or query may hold a token.
pub fn error_text(error: reqwest::Error) -> String {
    crate::otlp_reply::chain(&error.without_url())
}
