//! Making a connection: a Unix socket, or TCP with TLS.
//!
//! Promises: making one takes at most [`LIMIT`]; a TCP peer that is gone without a word is given up after about [`SILENT`],
//! because a request goes out every second and TCP says when it stays unacknowledged. HTTP/2 pings would find it too,
//! but Falco's gRPC library closes connections that ping more often than every five minutes.

use super::{address::Address, config::Plan, failure::Failure, stream::Stream};
use hyper_util::client::legacy::connect::HttpConnector;
use lanner_engine::component::BoxError;
use rustls::pki_types::ServerName;
use std::{future::poll_fn, sync::Arc, time::Duration};
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;
use tower::Service;

/// Name lookup, TCP and TLS together.
const LIMIT: Duration = Duration::from_secs(4);
/// How long sent bytes may stay unacknowledged, and an idle connection unprobed.
pub const SILENT: Duration = Duration::from_secs(15);

/// Connects to one address.
pub struct Connector {
    address: Address,
    tcp: HttpConnector,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Connector {
    /// Reads certificates; connects nothing.
    ///
    /// # Errors
    /// A certificate or key cannot be used.
    pub fn new(plan: &Plan) -> Result<Self, BoxError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(SILENT));
        tcp.set_tcp_user_timeout(Some(SILENT));
        let tls = match (&plan.tls, &plan.address) {
            (Some(tls), Address::Tcp { host, .. }) => match tls.load()? {
                Some(mut config) => {
                    config.alpn_protocols = vec![b"h2".to_vec()];
                    Some((TlsConnector::from(Arc::new(config)), tls.server_name(host)?))
                }
                None => None,
            },
            _ => None,
        };
        Ok(Self { address: plan.address.clone(), tcp, tls })
    }

    /// The address, for messages.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether connections are encrypted.
    pub fn encrypts(&self) -> bool {
        self.tls.is_some()
    }

    /// Makes a connection. Cancel-safe.
    ///
    /// # Errors
    /// It could not be made in time, or not at all.
    pub async fn connect(&self) -> Result<Stream, Failure> {
        match tokio::time::timeout(LIMIT, self.dial()).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(Failure::of_connecting(&self.address, &*error)),
            Err(_) => Err(Failure::Late { what: "no connection to Falco", limit: LIMIT }),
        }
    }

    async fn dial(&self) -> Result<Stream, BoxError> {
        let (host, port) = match &self.address {
            Address::Unix(path) => return Ok(Stream::new(UnixStream::connect(path).await?)),
            Address::Tcp { host, port } => (host, port),
        };
        let mut tcp = self.tcp.clone();
        poll_fn(|cx| tcp.poll_ready(cx)).await?;
        let plain = tcp.call(format!("http://{host}:{port}").parse()?).await?.into_inner();
        Ok(match &self.tls {
            None => Stream::new(plain),
            Some((tls, name)) => Stream::new(tls.connect(name.clone(), plain).await?),
        })
    }
}
