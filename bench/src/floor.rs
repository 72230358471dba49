//! The floor: a bare server of hyper, which reads each body, counts the events in it by a marker and answers 200.
//!
//! What Lanner costs above it is what Lanner does: parse, map, encode, queue, send, count. The server is the one that most
//! programs take, which tells HTTP/1 and HTTP/2 apart by their first bytes.

use crate::{Error, process::report_on_request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use memchr::memmem;
use std::{
    convert::Infallible,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::net::TcpListener;

/// Every alert has it once.
const MARKER: &str = "output_fields";

static EVENTS: AtomicU64 = AtomicU64::new(0);

#[tokio::main]
pub async fn run() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    report_on_request(listener.local_addr()?.port(), || EVENTS.load(Relaxed));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            // A client that hangs up ends its connection, and that is all there is to it.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if let Ok(body) = request.into_body().collect().await {
        EVENTS.fetch_add(memmem::find_iter(&body.to_bytes(), MARKER).count() as u64, Relaxed);
    }
    Ok(Response::new(Full::default()))
}
