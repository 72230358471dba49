//! A counting OTLP/gRPC sink: counts the log records of each request without decoding them.

use crate::{Error, process::report_on_request};
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
        Ok(body) => body.to_bytes().get(5..).and_then(records),
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

/// The log records of an export request: `resource_logs` (1) / `scope_logs` (2) / `log_records` (2).
fn records(request: &[u8]) -> Option<u64> {
    let mut count = 0;
    let mut one = |_: &[u8]| {
        count += 1;
        Some(())
    };
    parts(request, 1, &mut |group| parts(group, 2, &mut |scope| parts(scope, 2, &mut one)))?;
    Some(count)
}

/// Calls `found` with each length-delimited field of this number; `None` when the message is damaged.
fn parts(mut message: &[u8], number: u64, found: &mut dyn FnMut(&[u8]) -> Option<()>) -> Option<()> {
    while !message.is_empty() {
        let key = varint(&mut message)?;
        match key & 7 {
            0 => drop(varint(&mut message)?),
            1 => message = message.get(8..)?,
            5 => message = message.get(4..)?,
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (part, rest) = message.split_at_checked(length)?;
                if key >> 3 == number {
                    found(part)?;
                }
                message = rest;
            }
            _ => return None,
        }
    }
    Some(())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if *first < 0x80 {
            return Some(value);
        }
    }
    None
}
