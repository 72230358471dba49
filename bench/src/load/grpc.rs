//! gRPC by hand over hyper's HTTP/2: the messages are encoded, so that no stub is needed.

use crate::{Error, payload::Request};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{io, net::SocketAddr};
use tokio::net::TcpStream;

const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// One connection; clones share it.
#[derive(Clone)]
pub struct Calls {
    sender: SendRequest<Full<Bytes>>,
    uri: http::Uri,
}

impl Calls {
    pub async fn new(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        // Ends with the last sender, or with the peer; calls then fail and are counted.
        tokio::spawn(connection);
        Ok(Self { sender, uri: format!("http://{address}{EXPORT}").parse()? })
    }

    /// Calls, and reads the whole answer. Whether its status is OK.
    pub async fn exchange(&mut self, request: &Request) -> io::Result<bool> {
        let call = http::Request::post(self.uri.clone())
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(Full::new(request.next()))
            .map_err(io::Error::other)?;
        self.sender.ready().await.map_err(io::Error::other)?;
        let answer = self.sender.send_request(call).await.map_err(io::Error::other)?;
        // What fails at once has its status in front.
        let early = status(answer.headers());
        let body = answer.into_body().collect().await.map_err(io::Error::other)?;
        early.or_else(|| status(body.trailers()?)).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// Whether the status is OK, if there is one.
fn status(headers: &HeaderMap) -> Option<bool> {
    Some(headers.get("grpc-status")? == "0")
}
