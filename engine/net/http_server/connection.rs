//! One connection: handshake, protocol, time limits, drain.

use super::{
    Limits, ServerCounters,
    watch::{Active, Watch, Watched},
};
use crate::component::Drain;
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use http::{Request, Response};
use http_body::Body;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, error::Error, pin::pin, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

/// Streams that a client opened and reset before they were served (rapid reset).
const H2_PENDING_RESETS: usize = 20;
/// Bytes that all streams of a connection may have on their way together. Not hyper's adaptive window, which begins with
/// 64 KiB: many streams that share so little send small frames, and h2 ends a connection whose small frames cost more than
/// half of its window. An API server's 300 batches at once got there.
const H2_CONNECTION_WINDOW: u32 = 4 << 20;
/// Bytes that one stream may have on their way.
const H2_STREAM_WINDOW: u32 = 1 << 20;
/// Longest frame: those who send longer ones than the 16 KiB that HTTP/2 begins with save both sides most of the work. A frame
/// is seen when it is there whole, so one that comes at [`BodyLimits`](crate::net::BodyLimits)' slowest rate must take less
/// than its grace. With its head it fits into 128 KiB of memory.
const H2_FRAME: u32 = (128 << 10) - 64;
/// How an HTTP/2 client begins; no HTTP/1 method does.
const H2_PREFACE: &[u8; 3] = b"PRI";

/// What ends a connection from this side.
enum End {
    /// The drain began.
    Drain,
    /// It is old enough.
    Aged,
    /// A limit, by its reason.
    Cut(&'static str),
}

pub(super) struct Connection {
    limits: Limits,
    counters: ServerCounters,
    drain: Drain,
    /// Ends the tasks of HTTP/2 streams with the server.
    streams: CancellationToken,
}

impl Connection {
    pub(super) fn new(limits: Limits, counters: ServerCounters, drain: Drain, streams: CancellationToken) -> Self {
        Self { limits, counters, drain, streams }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether the client starts with HTTP/2. A client that sends nothing is left to the HTTP/1 limits, and so is everyone
    /// once the drain began.
    pub(super) async fn has_h2_preface(&self, stream: &TcpStream) -> bool {
        let peek = async {
            let mut start = [0; H2_PREFACE.len()];
            loop {
                match stream.peek(&mut start).await {
                    Ok(read) if read == start.len() => return &start == H2_PREFACE,
                    // The first byte came alone; peeking does not wait for more.
                    Ok(read) if read > 0 && H2_PREFACE.starts_with(&start[..read]) => {
                        if stream.ready(Interest::READABLE).await.map_or(true, |ready| ready.is_read_closed()) {
                            return false;
                        }
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    _ => return false,
                }
            }
        };
        tokio::select! {
            is_h2 = tokio::time::timeout(self.limits.header_timeout, peek) => is_h2.unwrap_or(false),
            () = self.drain.requested() => false,
        }
    }

    /// The TLS handshake; `None` when it failed, which is counted.
    pub(super) async fn handshake(&self, acceptor: &TlsAcceptor, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let handshake = tokio::time::timeout(self.limits.handshake_timeout, acceptor.accept(stream));
        let result = tokio::select! {
            () = self.drain.requested() => return None,
            result = handshake => result,
        };
        match result {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
        self.counters.closed("tls_handshake");
        None
    }

    pub(super) async fn serve_h1<T, S, F, B>(&self, stream: T, service: S)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Fn(Request<Incoming>) -> F,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let watch = Watch::new(false);
        let io = TokioIo::new(Watched { io: stream, watch: watch.clone() });
        let of_service = watch.clone();
        let service = service_fn(move |request| watched(of_service.serving(), service(request)));
        let mut http = pin!(
            http1::Builder::new()
                .header_read_timeout(None)
                .max_header_size(self.limits.max_header_size)
                // Answers are small: copying their body behind their head costs less than a vectored write.
                .writev(false)
                // An event that arrived whole is kept, even if its sender has hung up meanwhile.
                .half_close(true)
                .serve_connection(io, service)
        );
        let mut end = self.end(&watch, None);
        let end = tokio::select! {
            biased;
            result = http.as_mut() => return self.log(result),
            end = end.next() => end,
        };
        if let Some(End::Cut(reason)) = end {
            return self.counters.closed(reason);
        }
        http.as_mut().graceful_shutdown();
        tokio::select! {
            biased;
            result = http => self.log(result),
            _ = watch.expired(&self.limits, true) => {}
        }
    }

    pub(super) async fn serve_h2<T, S, F, B>(&self, stream: T, service: S)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Fn(Request<Incoming>) -> F,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let watch = Watch::new(true);
        let io = TokioIo::new(Watched { io: stream, watch: watch.clone() });
        let of_service = watch.clone();
        let service = service_fn(move |request| watched(of_service.serving(), service(request)));
        let header_size = u32::try_from(self.limits.max_header_size).unwrap_or(u32::MAX);
        let mut http = pin!(
            http2::Builder::new(StreamTasks(self.streams.clone()))
                .timer(TokioTimer::new())
                .keep_alive_interval(self.limits.ping_after)
                .keep_alive_timeout(self.limits.ping_timeout)
                .max_concurrent_streams(self.limits.max_concurrent_streams)
                .max_pending_accept_reset_streams(H2_PENDING_RESETS)
                .max_header_list_size(header_size)
                .initial_connection_window_size(H2_CONNECTION_WINDOW)
                .initial_stream_window_size(H2_STREAM_WINDOW)
                .max_frame_size(H2_FRAME)
                .serve_connection(io, service)
        );
        let mut end = self.end(&watch, self.limits.max_connection_age);
        let end = tokio::select! {
            biased;
            result = http.as_mut() => return self.log(result),
            end = end.next() => end,
        };
        if let Some(End::Cut(reason)) = end {
            return self.counters.closed(reason);
        }
        if watch.is_opening() {
            return;
        }
        http.as_mut().graceful_shutdown();
        match (end, self.limits.max_connection_age_grace) {
            (Some(End::Aged), Some(grace)) => match tokio::time::timeout(grace, http).await {
                Ok(result) => self.log(result),
                Err(_) => self.counters.closed("max_connection_age"),
            },
            _ => self.log(http.await),
        }
    }

    /// Waits for what ends the connection from this side. In a set, so that it is polled
    /// when it was woken itself and not for every request: asking for the drain takes a lock that all connections share.
    fn end<'c>(
        &'c self,
        watch: &'c Watch,
        age: Option<Duration>,
    ) -> FuturesUnordered<impl Future<Output = End> + use<'c>> {
        let aged = async move {
            match age {
                // Connections that came together do not leave together.
                Some(age) => {
                    tokio::time::sleep(age.saturating_add((age / 1000).saturating_mul(fastrand::u32(..100)))).await
                }
                None => std::future::pending().await,
            }
        };
        let end = async move {
            tokio::select! {
                () = self.drain.requested() => End::Drain,
                reason = watch.expired(&self.limits, false) => End::Cut(reason),
                () = aged => End::Aged,
            }
        };
        FuturesUnordered::from_iter([end])
    }

    fn log(&self, result: hyper::Result<()>) {
        if let Err(error) = result {
            let ended_by_us = |error: &h2::Error| error.is_library() && error.is_go_away();
            let source = Error::source(&error).and_then(|source| source.downcast_ref());
            if error.is_parse() || source.is_some_and(ended_by_us) {
                self.counters.closed("protocol_error");
            }
            tracing::debug!(%error, "connection ended early");
        }
    }
}

/// Keeps the watch quiet while a request is in service. An adapter and no `async fn`, which would move the answer's large
/// future once more.
fn watched<B>(
    active: Active,
    answer: impl Future<Output = Response<B>>,
) -> impl Future<Output = Result<Response<B>, Infallible>> {
    answer.map(move |answer| {
        drop(active);
        Ok(answer)
    })
}

/// Runs HTTP/2 streams as tasks that end with the server.
#[derive(Clone)]
struct StreamTasks(CancellationToken);

impl<F> hyper::rt::Executor<F> for StreamTasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let end = self.0.clone();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = end.cancelled() => {}
                _ = stream => {}
            }
        });
    }
}
