//! `Client`: one connection pool, configured once, and replaced when it is silent.
//!
//! Promises (D12): a request that has no answer in its time leaves no connection behind that the next one would use, be it
//! HTTP/1 or HTTP/2; a peer that stops acknowledging is given up after [`SILENT_LIMIT`], whatever the time of the request.

use super::{
    Addresses, REPLY_LIMIT, Reply, Verdict,
    addresses::Resolver,
    direct::Direct,
    time_limit::{TimeIsOver, TimeLimit},
};
use crate::{line::Line, otlp_reply::chain};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use lanner_engine::{
    net::{client::user_agent, tls::ClientTls},
    prelude::*,
};
use reqwest::{Method, Url, redirect::Policy};
use std::{sync::Arc, time::Duration};

/// Name lookup, TCP and TLS together.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// How long sent bytes may stay unacknowledged before the connection is given up.
pub(super) const SILENT_LIMIT: Duration = Duration::from_secs(20);

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
    line: Line<Way>,
    time_limit: TimeLimit,
}

/// How requests leave.
enum Way {
    Direct(Box<Direct>),
    ByProxy(reqwest::Client),
}

/// Exporters over HTTP never say that there shall be no TLS: the URL does.
#[derive(Debug, thiserror::Error)]
#[error("there are no settings of TLS")]
struct NoTls;

/// There was no reply. Nothing is known to have arrived, so it is to be sent again.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    #[error("no answer within {0:?}")]
    TimeOut(Duration),
    /// The failure with its causes, without the URL, which may hold a token.
    #[error("{0}")]
    Failed(String),
}

impl From<TimeIsOver> for Unanswered {
    fn from(TimeIsOver(limit): TimeIsOver) -> Self {
        Self::TimeOut(limit)
    }
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
        let Settings { tls, mut headers, proxy, addresses } = settings;
        let tls = tls.load()?.ok_or(NoTls)?;
        headers.entry(header::USER_AGENT).or_insert(HeaderValue::try_from(user_agent())?);
        let make = move || {
            let Some(proxy) = &proxy else {
                let direct = Direct::new(tls.clone(), Resolver(addresses), headers.clone());
                return Ok(Way::Direct(Box::new(direct)));
            };
            let mut tls = tls.clone();
            tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            let builder = reqwest::Client::builder()
                .default_headers(headers.clone())
                .dns_resolver(Arc::new(Resolver(addresses)))
                .redirect(Policy::none())
                .no_proxy()
                .retry(reqwest::retry::never())
                .connect_timeout(CONNECT_LIMIT)
                .tcp_user_timeout(SILENT_LIMIT)
                .tcp_nodelay(true)
                .tls_backend_preconfigured(tls)
                .proxy(proxy.clone());
            Ok(Way::ByProxy(builder.build()?))
        };
        Ok(Self { line: Line::new(make)?, time_limit: TimeLimit::new(time_limit) })
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
        let mut over = self.time_limit.begin();
        // When the time is over, what is in use is dropped as it is, and the connection is condemned.
        let ended = match use_of_line.client() {
            Way::Direct(client) => match over.or(client.send(method, url, headers, body)).await? {
                Ok(mut response) => {
                    let reply = Reply::read(&mut response, limit, &mut over).await;
                    client.end(url, response);
                    Ok(reply)
                }
                Err(error) => Err(chain(&*error)),
            },
            Way::ByProxy(client) => {
                let request = client.request(method.clone(), url.clone()).headers(headers).body(body);
                match over.or(request.send()).await? {
                    Ok(response) => Ok(Reply::read(&mut http::Response::from(response), limit, &mut over).await),
                    Err(error) => Err(chain(&error.without_url())),
                }
            }
        };
        use_of_line.answered();
        ended.map_err(Unanswered::Failed)
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
