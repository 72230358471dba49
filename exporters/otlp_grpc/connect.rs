//! Making connections: TCP or a Unix socket, with or without TLS.
//!
//! Promises: a connection is made when the first request needs it and made anew after it broke; making one takes
//! at most [`CONNECT_LIMIT`]; a peer that stops acknowledging is given up after [`SILENT_LIMIT`] (D12; one that acknowledges
//! and does not answer: [`crate::line`]), without the HTTP/2 pings for which gRPC servers close connections.

use super::{config::Plan, target::Target};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use lanner_engine::prelude::BoxError;
use rustls_pki_types::ServerName;
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
};
use tokio_rustls::TlsConnector;
use tower::Service;

/// Name lookup, TCP and TLS together.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// How long sent bytes may stay unacknowledged.
const SILENT_LIMIT: Duration = Duration::from_secs(30);

/// Connects to one target, whatever URI it is called with.
#[derive(Clone)]
pub struct Connector {
    target: Arc<Target>,
    tcp: HttpConnector,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// A connection of any kind.
pub struct Stream(Box<dyn Io>);

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Connector {
    /// Reads certificates; connects nothing.
    ///
    /// # Errors
    /// A certificate or key cannot be used.
    pub fn new(plan: &Plan) -> Result<Self, BoxError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(SILENT_LIMIT));
        tcp.set_tcp_user_timeout(Some(SILENT_LIMIT));
        let tls = match plan.tls.load()? {
            None => None,
            Some(mut config) => {
                config.alpn_protocols = vec![b"h2".to_vec()];
                let name = plan.tls.server_name(plan.endpoint.target.host())?;
                Some((TlsConnector::from(Arc::new(config)), name))
            }
        };
        Ok(Self { target: Arc::new(plan.endpoint.target.clone()), tcp, tls })
    }

    async fn connect(mut self) -> Result<TokioIo<Stream>, BoxError> {
        let plain = match &*self.target {
            Target::Unix(path) => Stream(Box::new(UnixStream::connect(path).await?)),
            Target::Tcp { host, port } => {
                let uri = format!("http://{host}:{port}").parse()?;
                std::future::poll_fn(|cx| self.tcp.poll_ready(cx)).await?;
                Stream(Box::new(self.tcp.call(uri).await?.into_inner()))
            }
        };
        let stream = match self.tls {
            None => plain,
            Some((tls, name)) => Stream(Box::new(tls.connect(name, plain).await?)),
        };
        Ok(TokioIo::new(stream))
    }
}

impl Service<http::Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let connect = self.clone().connect();
        Box::pin(async { tokio::time::timeout(CONNECT_LIMIT, connect).await? })
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
