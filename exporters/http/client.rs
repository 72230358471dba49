//! `Client`: one connection pool, configured once, and replaced when it is silent.
//!
//! Promises (D12): a request that has no answer in its time leaves no connection behind that the next one would use, be it
//! HTTP/1 or HTTP/2; a peer that stops acknowledging is given up after [`SILENT_LIMIT`], whatever the time of the request.

use super::{Addresses, REPLY_LIMIT, Reply, Verdict, addresses::Resolver};
use crate::line::Line;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use lanner_engine::{
    net::{client::user_agent, tls::ClientTls},
    prelude::*,
};
use reqwest::{Method, Url, redirect::Policy};
use std::{sync::Arc, time::Duration};

/// Name lookup, TCP and TLS together.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// How long sent bytes may stay unacknowledged before the connection is given up.
const SILENT_LIMIT: Duration = Duration::from_secs(20);

/// What a client is made of.
#[derive(Clone)]
pub struct Settings {
    pub tls: ClientTls,
    /// For every request; a `user-agent` among them replaces Lanner's.
    pub headers: HeaderMap,
    pub proxy: Option<reqwest::Proxy>,
    pub addresses: Addresses,
}

/// Sends requests. Makes no second attempt on its own and follows no redirect.
pub struct Client {
    line: Line<reqwest::Client>,
    time_limit: Option<Duration>,
}

/// There was no reply. Nothing is known to have arrived, so it is to be sent again.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    #[error("no answer within {0:?}")]
    TimeOut(Duration),
    /// The failure with its causes, without the URL, which may hold a token.
    #[error("{0}")]
    Failed(String),
}

impl From<Unanswered> for Verdict {
    fn from(unanswered: Unanswered) -> Self {
        Self::Retry { after: None, reason: unanswered.to_string() }
    }
}

impl Client {
    /// Reads certificates and makes the client. `time_limit` is for one exchange, from the name lookup to the last byte of the
    /// reply; `None` leaves it to the caller.
    ///
    /// # Errors
    /// A certificate or key cannot be read.
    pub fn new(settings: Settings, time_limit: Option<Duration>) -> Result<Self, BoxError> {
        let Settings { tls, headers, proxy, addresses } = settings;
        let tls = tls.load()?.map(|mut tls| {
            tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            tls
        });
        let make = move || {
            let mut builder = reqwest::Client::builder()
                .user_agent(user_agent())
                .default_headers(headers.clone())
                .dns_resolver(Arc::new(Resolver(addresses)))
                .redirect(Policy::none())
                .no_proxy()
                .retry(reqwest::retry::never())
                .connect_timeout(CONNECT_LIMIT)
                .tcp_user_timeout(SILENT_LIMIT)
                .tcp_nodelay(true);
            if let Some(limit) = time_limit {
                builder = builder.timeout(limit);
            }
            if let Some(tls) = &tls {
                builder = builder.tls_backend_preconfigured(tls.clone());
            }
            if let Some(proxy) = &proxy {
                builder = builder.proxy(proxy.clone());
            }
            Ok(builder.build()?)
        };
        Ok(Self { line: Line::new(make)?, time_limit })
    }

    /// Sends a request and reads at most `limit` bytes of the reply's body. Dropping the future abandons it.
    ///
    /// # Errors
    /// There was no reply. One that breaks off behind its head is a reply.
    pub async fn send(
        &self,
        method: &Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        limit: usize,
    ) -> Result<Reply, Unanswered> {
        let use_of_line = self.line.begin();
        let request = use_of_line.client().request(method.clone(), url.clone()).headers(headers).body(body);
        let ended = match (request.send().await, self.time_limit) {
            (Ok(response), _) => Ok(Reply::read(response, limit).await),
            // Dropped as it is, the connection is condemned.
            (Err(error), Some(limit)) if error.is_timeout() && !error.is_connect() => {
                return Err(Unanswered::TimeOut(limit));
            }
            (Err(error), _) => Err(Unanswered::Failed(error_text(error))),
        };
        use_of_line.answered();
        ended
    }

    /// Posts JSON, and reads at most [`REPLY_LIMIT`] bytes of the reply's body.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn post_json(&self, url: &Url, json: impl Into<Bytes>) -> Result<Reply, Unanswered> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.send(&Method::POST, url, headers, json.into(), REPLY_LIMIT).await
    }
}

/// A failure with its causes, bounded, on one line and without the URL.
pub(super) fn error_text(error: reqwest::Error) -> String {
    crate::otlp_reply::chain(&error.without_url())
}
