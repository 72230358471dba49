//! `Client`: Falco's methods over one connection.
//!
//! Promises: everything that belongs to the connection ends when the client is dropped; the server can have at most
//! [`WINDOW`] bytes on their way that nobody has read; a server that stopped without closing the connection is found
//! after [`PING_AFTER`].
//!
//! One connection, made by hand, instead of tonic's channel: that one connects again by itself and hides when, and a
//! gap between two streams is what has to be told.

use super::{
    codec::Raw,
    guard::{self, Guard, Skipped},
    stream::Stream,
};
use bytes::Bytes;
use futures_util::Stream as Requests;
use http::{Request, Response, Uri, uri::PathAndQuery};
use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
    rt::Executor,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use lanner_proto::falco::{grpc_path, outputs, version};
use parking_lot::Mutex;
use prost::Message;
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};
use tokio::task::JoinSet;
use tonic::{Status, Streaming, body::Body, client::Grpc};
use tower::Service;

/// What Falco may have on its way before somebody reads: enough for a fast local stream, and little to lose.
pub const WINDOW: u32 = 256 << 10;
/// A ping after so much silence. Falco's gRPC library takes three pings within five minutes each as an attack and closes
/// the connection, and only data of its own makes it forget.
const PING_AFTER: Duration = Duration::from_secs(330);
/// How long the answer to a ping may take.
const PING_LIMIT: Duration = Duration::from_secs(20);

/// Falco's methods.
pub struct Client {
    grpc: Grpc<Http2>,
    skipped: Skipped,
    /// Ends with the client.
    _tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Client {
    /// Begins HTTP/2 on a connection. Returns without having heard of the server.
    ///
    /// # Errors
    /// The connection broke at once.
    pub async fn open(stream: Stream, secure: bool, max_message: usize) -> Result<Self, hyper::Error> {
        let tasks = Arc::default();
        let (send, connection) = Builder::new(Tasks(Arc::downgrade(&tasks)))
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_LIMIT)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await?;
        tasks.lock().spawn(async {
            if let Err(error) = connection.await {
                // Whoever waits for an answer is told as well.
                tracing::debug!(%error, "connection to Falco ended");
            }
        });
        let skipped = Skipped::default();
        let http2 = Http2 { send, max_message, skipped: skipped.clone() };
        let origin = Uri::from_static(if secure { "https://localhost" } else { "http://localhost" });
        let grpc = Grpc::with_origin(http2, origin).max_decoding_message_size(max_message);
        Ok(Self { grpc, skipped, _tasks: tasks })
    }

    /// Messages that were over the limit.
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// Asks for the version.
    ///
    /// # Errors
    /// The server's status, or the state of the connection as one.
    pub async fn version(&mut self) -> Result<version::Response, Status> {
        self.ready().await?;
        let path = PathAndQuery::from_static(grpc_path::VERSION);
        let codec = Raw::<version::Request>::default();
        let answer = self.grpc.unary(tonic::Request::new(version::Request {}), path, codec).await?;
        version::Response::decode(answer.into_inner()).map_err(|error| Status::internal(error.to_string()))
    }

    /// Opens the stream of alerts that `requests` ask for. May return only with the first alert.
    ///
    /// # Errors
    /// As `version`.
    pub async fn sub(
        &mut self,
        requests: impl Requests<Item = outputs::Request> + Send + 'static,
    ) -> Result<Streaming<Bytes>, Status> {
        self.ready().await?;
        let path = PathAndQuery::from_static(grpc_path::SUB);
        let answer = self.grpc.streaming(tonic::Request::new(requests), path, Raw::default()).await?;
        Ok(answer.into_inner())
    }

    /// Asks for the alerts that are queued. May return only with the first of them.
    ///
    /// # Errors
    /// As `version`.
    pub async fn get(&mut self) -> Result<Streaming<Bytes>, Status> {
        self.ready().await?;
        let path = PathAndQuery::from_static(grpc_path::GET);
        let request = tonic::Request::new(outputs::Request {});
        Ok(self.grpc.server_streaming(request, path, Raw::default()).await?.into_inner())
    }

    async fn ready(&mut self) -> Result<(), Status> {
        self.grpc.ready().await.map_err(|error| Status::from_error(error.into()))
    }
}

/// Runs what hyper wants to run, until the client is dropped. Weak, because the tasks hold a copy.
#[derive(Clone)]
struct Tasks(Weak<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        if let Some(tasks) = self.0.upgrade() {
            let mut tasks = tasks.lock();
            tasks.spawn(task);
            // What has ended makes room: there is a task for every call.
            while tasks.try_join_next().is_some() {}
        }
    }
}

/// An HTTP/2 connection as tonic wants it.
struct Http2 {
    send: SendRequest<Body>,
    max_message: usize,
    skipped: Skipped,
}

impl Service<Request<Body>> for Http2 {
    type Response = Response<Guard<Incoming>>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.send.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.send.send_request(request);
        let (limit, skipped) = (self.max_message, self.skipped.clone());
        Box::pin(async move {
            let mut answer = answer.await?;
            guard::strip(answer.headers_mut());
            Ok(answer.map(|body| Guard::new(body, limit, skipped)))
        })
    }
}
