//! The way to a server without a proxy, over [`Connections`] that speak HTTP/2 where the server offers it over TLS.
//!
//! Promises: names become the allowed of their addresses; a connection is made within [`CONNECT_LIMIT`], name lookup and TLS
//! included; a request that an idle connection did not take, because the server has closed it, goes out over another one.
//!
//! Why not by `reqwest`, as through a proxy: it reads the URL again and again and walks layers for redirects and retries that
//! are off, several times the work of the request itself.

use super::{
    addresses::Resolver,
    client::{CONNECT_LIMIT, SILENT_LIMIT},
    connections::{Connection, Connections, Received},
    http1::{Body, Http1, Place},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header, header::Entry};
use hyper::client::conn::http2;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::connect::{Connection as _, HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use lanner_engine::prelude::BoxError;
use reqwest::{Method, Url};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use tower::Service;

/// A silent connection is asked whether it is still there this often, and given up after [`PROBES`] without an answer.
const PROBE: Duration = Duration::from_secs(15);
const PROBES: u32 = 3;

/// A client with its connections.
pub struct Direct {
    connector: HttpsConnector<HttpConnector<Resolver>>,
    connections: Arc<Connections>,
    /// For requests that have no such header.
    headers: HeaderMap,
}

/// Name lookup, TCP and TLS took too long.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {CONNECT_LIMIT:?}")]
struct NoConnection;

impl Direct {
    /// A client without connections. `headers` go with every request that does not have them itself.
    pub fn new(tls: rustls::ClientConfig, resolver: Resolver, mut headers: HeaderMap) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        // TLS comes on top.
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_LIMIT));
        tcp.set_tcp_user_timeout(Some(SILENT_LIMIT));
        tcp.set_keepalive(Some(PROBE));
        tcp.set_keepalive_interval(Some(PROBE));
        tcp.set_keepalive_retries(Some(PROBES));
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions().wrap_connector(tcp);
        headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        Self { connector, connections: Arc::default(), headers }
    }

    /// Sends a request and gives the reply, whose body has not been read: to be given to [`Self::end`] when it was.
    ///
    /// # Errors
    /// There was no reply.
    pub async fn send(
        &self,
        method: &Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Received>, BoxError> {
        let (origin, _) = parts(url);
        let mut request = Request::new(Body::new(body));
        *request.method_mut() = method.clone();
        *request.headers_mut() = headers;
        for (name, value) in &self.headers {
            if let Entry::Vacant(vacant) = request.headers_mut().entry(name) {
                vacant.insert(value.clone());
            }
        }
        loop {
            let (mut connection, is_new) = match self.connections.take(origin) {
                Some(idle) => (idle, false),
                // Boxed, because it is large, rarely needed, and moved with every request.
                None => (self.connections.add(origin, Box::pin(self.connect(origin)).await?), true),
            };
            address(&mut request, url, &mut connection)?;
            match connection.send(request).await {
                Ok(reply) => return Ok(reply.map(|body| Received::new(connection, body))),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) if !is_new => request = unsent,
                    _ => return Err(failed.into_error().into()),
                },
            }
        }
    }

    /// As much of a reply from `url` as is wanted has been read.
    pub fn end(&self, url: &Url, reply: Response<Received>) {
        self.connections.give_back(parts(url).0, reply.into_body().into_connection());
    }

    async fn connect(&self, origin: &str) -> Result<Connection, BoxError> {
        let connected = self.connector.clone().call(origin.parse()?);
        let stream = timeout(CONNECT_LIMIT, connected).await.map_err(|_| NoConnection)??;
        if stream.connected().is_negotiated_h2() {
            let builder = &mut http2::Builder::new(TokioExecutor::new());
            let (sender, connection) = builder.timer(TokioTimer::new()).handshake(stream).await?;
            tokio::spawn(connection);
            return Ok(Connection::Http2(sender));
        }
        Ok(Connection::Http1(Http1::new(stream).await?))
    }
}

/// Says where a request goes, in the way of the connection's protocol.
fn address(request: &mut Request<Body>, url: &Url, connection: &mut Connection) -> Result<(), BoxError> {
    let connection = match connection {
        Connection::Http1(connection) => connection,
        Connection::Http2(_) => {
            *request.uri_mut() = url.as_str().parse()?;
            return Ok(());
        }
    };
    let place = match connection.last.take().filter(|last| last.url == *url) {
        Some(same) => same,
        None => {
            let (path, host) = (parts(url).1.parse()?, HeaderValue::from_str(url.authority())?);
            Box::new(Place { url: url.clone(), path, host })
        }
    };
    request.uri_mut().clone_from(&place.path);
    if let Entry::Vacant(vacant) = request.headers_mut().entry(header::HOST) {
        vacant.insert(place.host.clone());
    }
    connection.last = Some(place);
    Ok(())
}

/// A URL up to its path, and from there. It has no user name in it: those that do are refused.
fn parts(url: &Url) -> (&str, &str) {
    let path = url.scheme().len() + "://".len() + url.authority().len();
    url.as_str().split_at_checked(path).unwrap_or((url.as_str(), "/"))
}
