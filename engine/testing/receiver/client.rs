//! `Line`: a connection of a sender that can stop anywhere, and `Answer`: what such a sender sees.
//!
//! Promises: a body goes out exactly as far as the test feeds it; dropping an [`Exchange`] and its [`Line`] closes the socket
//! at once, without a farewell; an answer that comes before the body is complete is seen.

use super::push::Protocol;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    client::conn::{http1, http2},
    rt::Executor,
};
use hyper_util::rt::TokioIo;
use prost::Message;
use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpStream, sync::mpsc, time::timeout};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};

type Body = StreamBody<BoxStream<'static, Result<Frame<Bytes>, Infallible>>>;

/// The connection ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed(pub String);

/// What came back for one request.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub trailers: HeaderMap,
    pub body: Bytes,
}

/// One connection.
pub(super) struct Line {
    to: Sending,
    open: Arc<DropGuard>,
}

enum Sending {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// A request on its way. Dropping it gives it up; dropping the line as well hangs up.
pub(super) struct Exchange {
    body: Option<mpsc::Sender<Bytes>>,
    answer: AbortOnDropHandle<Result<Answer, Closed>>,
    _open: Arc<DropGuard>,
}

/// Runs what belongs to a connection until it is hung up.
#[derive(Clone)]
struct Tasks(CancellationToken);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let hung_up = self.0.clone();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = hung_up.cancelled() => {}
                _ = task => {}
            }
        });
    }
}

impl Line {
    pub async fn connect(address: SocketAddr, protocol: Protocol) -> Result<Self, Closed> {
        let closed = |error: &dyn std::error::Error| Closed(error.to_string());
        let stream = TokioIo::new(TcpStream::connect(address).await.map_err(|error| closed(&error))?);
        let hung_up = CancellationToken::new();
        let tasks = Tasks(hung_up.clone());
        let to = match protocol {
            Protocol::Http1 => {
                let (to, connection) = http1::handshake(stream).await.map_err(|error| closed(&error))?;
                tasks.execute(connection);
                Sending::Http1(to)
            }
            Protocol::Http2 | Protocol::Grpc => {
                let (to, connection) = http2::handshake(tasks.clone(), stream).await.map_err(|error| closed(&error))?;
                tasks.execute(connection);
                Sending::Http2(to)
            }
        };
        Ok(Self { to, open: Arc::new(hung_up.drop_guard()) })
    }

    /// Sends the head of a request; its body is to be fed. With HTTP/1 one at a time.
    pub async fn open(&mut self, head: Request<()>) -> Exchange {
        let (feed, fed) = mpsc::channel(1);
        let parts = stream::unfold(fed, |mut fed| async { fed.recv().await.map(|part| (Ok(Frame::data(part)), fed)) });
        let request = head.map(|()| StreamBody::new(parts.boxed()));
        let answer = match &mut self.to {
            Sending::Http1(to) => {
                let _ = to.ready().await;
                tokio::spawn(read(to.send_request(request)))
            }
            Sending::Http2(to) => {
                let _ = to.ready().await;
                tokio::spawn(read(to.send_request(request)))
            }
        };
        Exchange { body: Some(feed), answer: AbortOnDropHandle::new(answer), _open: Arc::clone(&self.open) }
    }
}

async fn read(response: impl Future<Output = hyper::Result<Response<Incoming>>>) -> Result<Answer, Closed> {
    let closed = |error: hyper::Error| Closed(error.to_string());
    let (head, body) = response.await.map_err(closed)?.into_parts();
    let body = body.collect().await.map_err(closed)?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    Ok(Answer { status: head.status, headers: head.headers, trailers, body: body.to_bytes() })
}

impl Exchange {
    /// Sends a part of the body. A server that answers early may not take it.
    pub async fn feed(&mut self, part: impl Into<Bytes>) {
        if let Some(body) = &self.body {
            let _ = body.send(part.into()).await;
        }
    }

    /// Ends the body.
    pub fn end(&mut self) {
        self.body = None;
    }

    /// Stops waiting for the answer, which resets a stream of HTTP/2, and keeps the body open.
    pub async fn give_up(self) -> Option<mpsc::Sender<Bytes>> {
        self.answer.abort();
        let _ = self.answer.await;
        self.body
    }

    /// Waits for the answer, or for the end of the connection.
    ///
    /// # Panics
    /// Neither comes within `limit`.
    pub async fn answer_within(&mut self, limit: Duration) -> Result<Answer, Closed> {
        let answer = timeout(limit, &mut self.answer).await;
        match answer.unwrap_or_else(|_| panic!("no answer within {limit:?}")) {
            Ok(answer) => answer,
            Err(error) => Err(Closed(error.to_string())),
        }
    }

    /// Whether an answer, or the end of the connection, is there.
    pub fn is_answered(&self) -> bool {
        self.answer.is_finished()
    }
}

impl Answer {
    /// The answer as the sender acts on it: `200`, `503, Retry-After: 1`; of gRPC `UNAVAILABLE, RetryInfo: 1 s`.
    pub fn seen(&self, protocol: Protocol) -> String {
        match protocol {
            Protocol::Http1 | Protocol::Http2 => self.seen_http(),
            Protocol::Grpc if self.status == StatusCode::OK => self.seen_grpc(),
            Protocol::Grpc => format!("HTTP {}", self.status.as_u16()),
        }
    }

    fn seen_http(&self) -> String {
        let status = self.status.as_u16();
        match self.headers.get(header::RETRY_AFTER).map(|after| String::from_utf8_lossy(after.as_bytes())) {
            Some(after) => format!("{status}, Retry-After: {after}"),
            None => status.to_string(),
        }
    }

    fn seen_grpc(&self) -> String {
        let status = [&self.headers, &self.trailers].into_iter().find_map(tonic::Status::from_header_map);
        let Some(status) = status else { return "no grpc-status".to_owned() };
        let code = match status.code() {
            tonic::Code::Ok => "OK",
            tonic::Code::InvalidArgument => "INVALID_ARGUMENT",
            tonic::Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
            tonic::Code::Unimplemented => "UNIMPLEMENTED",
            tonic::Code::Unavailable => "UNAVAILABLE",
            tonic::Code::Unauthenticated => "UNAUTHENTICATED",
            other => other.description(),
        };
        let details = Details::decode(status.details()).unwrap_or_default().details;
        let retry = details.iter().find(|detail| detail.type_url.ends_with("/google.rpc.RetryInfo"));
        match retry.and_then(|retry| RetryInfo::decode(&retry.value[..]).ok()?.delay) {
            Some(Delay { seconds, .. }) => format!("{code}, RetryInfo: {seconds} s"),
            None => code.to_owned(),
        }
    }
}

/// `google.rpc.Status`, as far as it matters here.
#[derive(Clone, PartialEq, Message)]
struct Details {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}
