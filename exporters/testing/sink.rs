use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::{Body, Frame, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use lanner_engine::prelude::BoxError;
use parking_lot::Mutex;
use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

pub type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;
type Script = Arc<dyn Fn(&Request<Bytes>) -> Answer + Send + Sync>;

/// An HTTP/1 and HTTP/2 server on a port of its own that answers by script and keeps what it saw.
pub struct Sink {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Request<Bytes>>>>,
    task: JoinHandle<()>,
}

impl Sink {
    pub async fn start(script: impl Fn(&Request<Bytes>) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", None, script).await
    }

    pub async fn start_at(
        address: &str,
        tls: Option<rustls::ServerConfig>,
        script: impl Fn(&Request<Bytes>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Request<Bytes>>>>::default();
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let task = tokio::spawn(serve(listener, acceptor, Arc::new(script), Arc::clone(&seen)));
        Self { address, seen, task }
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Request<Bytes>> {
        self.seen.lock().clone()
    }

    /// Closes the port and every connection.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, script: Script, seen: Arc<Mutex<Vec<Request<Bytes>>>>) {
    // Connections end with the sink.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, script, seen) = (tls.clone(), Arc::clone(&script), Arc::clone(&seen));
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                    let request = Request::from_parts(head, body);
                    seen.lock().push(request.clone());
                    Ok::<_, Infallible>(script(&request))
                }
            });
            let server = auto::Builder::new(TokioExecutor::new());
            // Errors are what the tests provoke; the client's side of them is what is looked at.
            match tls {
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        let _ = server.serve_connection(TokioIo::new(stream), service).await;
                    }
                }
                None => {
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                }
            }
        });
    }
}

/// An answer of this status and text.
pub fn answer(status: u16, text: &str) -> Answer {
    let mut answer = Response::new(body(text.to_owned()));
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
    answer
}

/// A whole body.
pub fn body(bytes: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, BoxError> {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

struct Repeating {
    chunk: Bytes,
    left: Option<usize>,
}

/// A body that never ends.
pub fn endless_body() -> UnsyncBoxBody<Bytes, BoxError> {
    Repeating { chunk: Bytes::from_static(&[b'x'; 16 << 10]), left: None }.boxed_unsync()
}

/// A body whose connection breaks after its first bytes.
pub fn cut_body(bytes: &'static [u8]) -> UnsyncBoxBody<Bytes, BoxError> {
    Repeating { chunk: Bytes::from_static(bytes), left: Some(2) }.boxed_unsync()
}

impl Body for Repeating {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.left {
            Some(0) => return Poll::Ready(Some(Err("cut".into()))),
            // Lets the server write the head and the first bytes before the connection breaks.
            Some(left) if *left == 1 => {
                *left = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(left) => *left -= 1,
            None => {}
        }
        Poll::Ready(Some(Ok(Frame::data(self.chunk.clone()))))
    }
}

/// A port that accepts connections, reads what comes and closes them without an answer.
pub struct Stuck {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Stuck {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.readable().await;
                let mut buffer = [0; 4096];
                let _ = stream.try_read(&mut buffer);
            }
        });
        Self { address, task }
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        self.task.abort();
    }
}
