//! `Client`: one connection pool, configured once.

use super::{Addresses, Reply, Verdict, addresses::Resolver};
use bytes::Bytes;
use http::HeaderMap;
use lanner_engine::{
    net::{client::user_agent, tls::ClientTls},
    prelude::*,
};
use reqwest::{Method, Url, redirect::Policy};
use std::{sync::Arc, time::Duration};

/// Name lookup, TCP and TLS together.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long sent bytes may stay unacknowledged before the connection is given up (D12).
const SILENT_LIMIT: Duration = Duration::from_secs(30);
/// From the first byte sent to the last byte of the reply.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(20);

/// What a client is made of.
pub struct Settings {
    pub tls: ClientTls,
    /// For every request; a `user-agent` among them replaces Lanner's.
    pub headers: HeaderMap,
    pub proxy: Option<reqwest::Proxy>,
    pub addresses: Addresses,
}

/// Sends requests. Makes no second attempt on its own and follows no redirect.
pub struct Client(reqwest::Client);

impl Client {
    /// Reads certificates and makes the client.
    ///
    /// # Errors
    /// A certificate or key cannot be read.
    pub fn new(settings: Settings) -> Result<Self, BoxError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(user_agent())
            .default_headers(settings.headers)
            .dns_resolver(Arc::new(Resolver(settings.addresses)))
            .redirect(Policy::none())
            .no_proxy()
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_LIMIT)
            .timeout(EXCHANGE_LIMIT)
            .tcp_user_timeout(SILENT_LIMIT)
            .tcp_nodelay(true);
        if let Some(mut tls) = settings.tls.load()? {
            tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            builder = builder.tls_backend_preconfigured(tls);
        }
        if let Some(proxy) = settings.proxy {
            builder = builder.proxy(proxy);
        }
        Ok(Self(builder.build()?))
    }

    /// Sends a request and reads at most `limit` bytes of the reply's body. Dropping the future abandons it.
    ///
    /// # Errors
    /// Nothing is known to have arrived: the verdict says to repeat it.
    pub async fn send(
        &self,
        method: &Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        limit: usize,
    ) -> Result<Reply, Verdict> {
        let sent = self.0.request(method.clone(), url.clone()).headers(headers).body(body).send().await;
        match sent {
            Ok(response) => Ok(Reply::read(response, limit).await),
            // The URL is left out: it may hold a token.
            Err(error) => Err(Verdict::Retry { after: None, reason: crate::otlp_reply::chain(&error.without_url()) }),
        }
    }
}
