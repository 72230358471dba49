//! A counting OTLP/gRPC sink: counts the log records of each request without decoding them.

use crate::{Error, process::report_on_request, protobuf};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    convert::Infallible,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::{Context, Poll},
};
use tokio::net::TcpListener;

/// Bytes of a stream that may be on their way.
const WINDOW: u32 = 8 << 20;

static RECORDS: AtomicU64 = AtomicU64::new(0);

#[tokio::main]
pub async fn run() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    report_on_request(listener.local_addr()?.port(), || RECORDS.load(Relaxed));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let mut http = http2::Builder::new(TokioExecutor::new());
            http.initial_stream_window_size(WINDOW).initial_connection_window_size(2 * WINDOW);
            // The peer is stopped at the end of a measurement; that is no failure.
            let _ = http.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Reply>, Infallible> {
    let records = match request.into_body().collect().await {
        // Five bytes say "not compressed" and how long the message is.
        Ok(body) => body.to_bytes().get(5..).and_then(protobuf::records),
        Err(_) => None,
    };
    let (message, status) = match records {
        Some(records) => {
            RECORDS.fetch_add(records, Relaxed);
            (Some(Bytes::from_static(&[0; 5])), "0")
        }
        None => (None, "3"),
    };
    let mut response = Response::new(Reply { message, status: Some(status) });
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}

/// An empty message, then the status.
struct Reply {
    message: Option<Bytes>,
    status: Option<&'static str>,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = match (self.message.take(), self.status) {
            (Some(message), _) => Some(Frame::data(message)),
            (None, Some(status)) => {
                self.status = None;
                let trailers = HeaderMap::from_iter(
                    [("grpc-status", status)]
                        .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value))),
                );
                Some(Frame::trailers(trailers))
            }
            (None, None) => None,
        };
        Poll::Ready(frame.map(Ok))
    }
}
