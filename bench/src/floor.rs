//! The floor: hyper's HTTP/1 builder, nothing around it, that reads each body and answers 200.
//!
//! What Lanner costs above it is what Lanner does: parse, map, encode, queue, send, count.

use crate::{Error, process::report_on_request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use tokio::net::TcpListener;

static BODIES: AtomicU64 = AtomicU64::new(0);

#[tokio::main]
pub async fn run() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    report_on_request(listener.local_addr()?.port(), || BODIES.load(Relaxed));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            // A client that hangs up ends its connection, and that is all there is to it.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.into_body().collect().await.is_ok_and(|body| !body.to_bytes().is_empty()) {
        BODIES.fetch_add(1, Relaxed);
    }
    Ok(Response::new(Full::default()))
}
