//! `HttpServer`: the accept loop under every HTTP listener.
//!
//! Promises
//! - A slow, silent or crowding client costs a bounded time and one of a bounded number of connections; every
//!   connection that is closed for such a reason is counted with it.
//! - A panic while a request is handled ends that connection, not the server, and is counted.
//! - On drain: nothing new is accepted, requests in flight are finished, idle connections are closed, and after
//!   [`Limits::drain`] whatever is left is cut.
//! - Certificates that change on disk are used for new connections; ones that cannot be used change nothing.
//! - Every task lives inside the future of [`HttpServer::serve`]: dropping it ends them.
//!
//! Plain connections go straight to hyper's HTTP/1 builder: telling the versions apart by their first bytes costs a
//! fifth of the throughput of small requests, so HTTP/2 is chosen by ALPN, or by its preface only when asked for.

mod connection;
mod counters;
mod limits;
#[cfg(test)]
mod tests;
mod watch;

use crate::{
    component::Drain,
    config::ListenAddress,
    net::{
        Sockets, listeners,
        tls::{Reload, ServerTls},
    },
};
use connection::Connection;
pub use counters::ServerCounters;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
pub use limits::Limits;
use std::{error::Error, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How long to pause when the process has no file descriptor left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound listener, not yet serving. Dropping it frees the port.
pub struct HttpServer {
    listener: TcpListener,
    tls: Option<ServerTls>,
    limits: Limits,
    counters: ServerCounters,
}

/// A listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}; {remedy}")]
pub struct BindError {
    pub address: ListenAddress,
    remedy: &'static str,
    source: io::Error,
}

impl BindError {
    fn new(address: ListenAddress, source: io::Error) -> Self {
        let remedy = match source.kind() {
            io::ErrorKind::AddrInUse => "stop the program that has this port, or set `endpoint` to another port",
            io::ErrorKind::PermissionDenied => "use a port above 1023 in `endpoint`, or grant CAP_NET_BIND_SERVICE",
            io::ErrorKind::AddrNotAvailable => "set `endpoint` to an address of this machine, or to 0.0.0.0",
            _ => "check `endpoint`",
        };
        Self { address, remedy, source }
    }
}

impl HttpServer {
    /// Opens the listener. Must be called inside a tokio runtime; spawns nothing.
    ///
    /// # Errors
    /// [`BindError`] with the address and what to do.
    pub fn bind(address: &ListenAddress, tls: Option<ServerTls>, limits: Limits) -> Result<Self, BindError> {
        let listener = listeners::bind(address.0).map_err(|source| BindError::new(*address, source))?;
        Ok(Self { listener, tls, limits, counters: ServerCounters::default() })
    }

    /// The same for a component, whose listener stays open over a reload.
    ///
    /// # Errors
    /// As [`HttpServer::bind`].
    pub fn bind_kept(
        sockets: &Sockets,
        address: &ListenAddress,
        tls: Option<ServerTls>,
        limits: Limits,
    ) -> Result<Self, BindError> {
        let listener = sockets.listen(*address).map_err(|source| BindError::new(*address, source))?;
        Ok(Self { listener, tls, limits, counters: ServerCounters::default() })
    }

    /// Counts into `counters` from now on.
    pub fn with_counters(mut self, counters: ServerCounters) -> Self {
        self.counters = counters;
        self
    }

    /// The address it listens on; with port 0 in the configuration, the port that was free.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until drained. `service` is cloned once per connection and called for every request; it answers
    /// refusals itself and is never called with a body that was read.
    ///
    /// Cancel-safe in the sense that dropping it closes every connection at once.
    pub async fn serve<S, F, B>(self, service: S, drain: Drain)
    where
        S: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let Self { listener, mut tls, limits, counters } = self;
        let streams = CancellationToken::new();
        let _end_streams = streams.clone().drop_guard();
        if let Some(tls) = &tls {
            counters.certificate(tls.expires());
        }
        let mut acceptor = tls.as_ref().map(|tls| TlsAcceptor::from(Arc::clone(tls.config())));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = drain.requested() => break,
                Some(ended) = connections.join_next() => {
                    counters.ended(ended);
                    continue;
                }
                reload = changed(&mut tls) => {
                    match reload {
                        Reload::Loaded(config) => {
                            acceptor = Some(TlsAcceptor::from(config));
                            counters.reloaded(tls.as_ref().and_then(ServerTls::expires));
                            tracing::info!("the TLS files have changed and are used for new connections");
                        }
                        Reload::Failed(error) => {
                            counters.reload_failed();
                            tracing::error!(%error, "the TLS files have changed and cannot be used; those before stay");
                        }
                    }
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            };
            if connections.len() >= limits.max_connections {
                counters.closed("max_connections");
                continue;
            }
            counters.opened();
            let connection = Connection::new(limits, counters.clone(), drain.clone(), streams.clone());
            connections.spawn(run(connection, stream, acceptor.clone(), service.clone()));
        }
        drop(listener);
        let rest = async {
            while let Some(ended) = connections.join_next().await {
                counters.ended(ended);
            }
        };
        if tokio::time::timeout(limits.drain, rest).await.is_err() {
            tracing::warn!(connections = connections.len(), "connections did not end within the drain time; cut");
        }
        connections.shutdown().await;
    }
}

/// Returns when a listener's certificates have changed; never for one without TLS. Cancel-safe.
async fn changed(tls: &mut Option<ServerTls>) -> Reload {
    match tls {
        Some(tls) => tls.changed().await,
        None => std::future::pending().await,
    }
}

/// A connection that was reset before it was accepted is nobody's problem; a lack of descriptors passes.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::warn!(%error, "cannot accept a connection");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

async fn run<S, F, B>(connection: Connection, stream: TcpStream, tls: Option<TlsAcceptor>, service: S)
where
    S: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    // Without it a small answer waits for the delayed ACK of the one before. A socket that refuses is merely slower.
    let _ = stream.set_nodelay(true);
    // A task is as large as the largest of these, so all but the smallest are boxed.
    match tls {
        None if connection.limits().h2c && connection.has_h2_preface(&stream).await => {
            Box::pin(connection.serve_h2(stream, service)).await;
        }
        None => connection.serve_h1(stream, service).await,
        Some(acceptor) => {
            let Some(stream) = Box::pin(connection.handshake(&acceptor, stream)).await else { return };
            match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => Box::pin(connection.serve_h2(stream, service)).await,
                _ => Box::pin(connection.serve_h1(stream, service)).await,
            }
        }
    }
}
