//! `FakeFalco`: Falco's gRPC server, written from its contract.
//!
//! One queue for the whole process, from which streams take turns: an alert goes to one client, once. `sub` reads one
//! request, writes all that is queued, then waits for the next request. `get` writes all that is queued and ends. An answer
//! begins with its first alert: before that not even headers are sent.

use bytes::{Buf, BufMut, Bytes};
use futures_util::{FutureExt, Stream, StreamExt, stream};
use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lanner_proto::falco::{grpc_path, outputs, version};
use parking_lot::Mutex;
use prost::Message;
use std::{
    collections::VecDeque,
    convert::Infallible,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use tonic::{
    Status, Streaming,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// A queued message; an error ends the stream with it.
type Item = Result<Bytes, Status>;
type Answer = Pin<Box<dyn Stream<Item = Item> + Send>>;
/// Answers a call in the server's place.
type Hook = Box<dyn Fn(&str) -> Option<Response<Body>> + Send + Sync>;

/// The process: its queue outlives the listeners.
#[derive(Clone)]
pub struct FakeFalco(Arc<State>);

struct State {
    queue: Mutex<VecDeque<Item>>,
    /// Alerts that were taken out of the queue.
    written: AtomicUsize,
    /// Requests that were read, and a way to wait for them.
    requests: watch::Sender<usize>,
    /// Streams that wait for a request.
    waiting: watch::Sender<usize>,
    /// Streams end with OK once this changes.
    ending: watch::Sender<u64>,
    version: Mutex<Option<version::Response>>,
    hook: Mutex<Option<Hook>>,
    connections: Mutex<JoinSet<()>>,
    listener: Mutex<Option<JoinHandle<()>>>,
    socket: PathBuf,
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Drop for State {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.socket);
    }
}

impl FakeFalco {
    /// A Falco that does not listen yet.
    pub fn new() -> Self {
        let name = format!("lanner-falco-{}-{}.sock", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let version = version::Response { version: "0.43.0".into(), minor: 43, ..version::Response::default() };
        Self(Arc::new(State {
            queue: Mutex::default(),
            written: AtomicUsize::default(),
            requests: watch::Sender::default(),
            waiting: watch::Sender::default(),
            ending: watch::Sender::default(),
            version: Mutex::new(Some(version)),
            hook: Mutex::default(),
            connections: Mutex::default(),
            listener: Mutex::default(),
            socket: std::env::temp_dir().join(name),
        }))
    }

    /// A Falco that listens on its socket.
    pub fn listening() -> Self {
        let falco = Self::new();
        falco.listen();
        falco
    }

    /// Where it listens or will.
    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.0.socket.display())
    }

    /// Opens the socket, as at the start of Falco.
    pub fn listen(&self) {
        let _ = std::fs::remove_file(&self.0.socket);
        let listener = UnixListener::bind(&self.0.socket).unwrap();
        let falco = self.clone();
        self.replace_listener(Some(tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                falco.serve(socket);
            }
        })));
    }

    /// Listens on a TCP port with TLS; the port.
    pub async fn listen_tls(&self, config: rustls::ServerConfig) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (falco, tls) = (self.clone(), TlsAcceptor::from(Arc::new(config)));
        self.replace_listener(Some(tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                if let Ok(socket) = tls.accept(socket).await {
                    falco.serve(socket);
                }
            }
        })));
        port
    }

    fn replace_listener(&self, listener: Option<JoinHandle<()>>) {
        if let Some(old) = std::mem::replace(&mut *self.0.listener.lock(), listener) {
            old.abort();
        }
    }

    /// The process is gone without a word; its queue is given back, as a test's own.
    pub fn kill(&self) {
        self.replace_listener(None);
        self.cut();
        let _ = std::fs::remove_file(&self.0.socket);
    }

    /// Every connection breaks.
    pub fn cut(&self) {
        self.0.connections.lock().abort_all();
    }

    /// Every stream ends with OK, as when Falco stops.
    pub fn end_streams(&self) {
        self.0.ending.send_modify(|count| *count += 1);
    }

    /// Queues an alert.
    pub fn push(&self, alert: outputs::Response) {
        self.push_raw(alert.encode_to_vec());
    }

    /// Queues a message of these bytes.
    pub fn push_raw(&self, message: impl Into<Bytes>) {
        self.0.queue.lock().push_back(Ok(message.into()));
    }

    /// The stream that comes to it in the queue ends with this status.
    pub fn push_end(&self, status: Status) {
        self.0.queue.lock().push_back(Err(status));
    }

    pub fn set_version(&self, version: Option<version::Response>) {
        *self.0.version.lock() = version;
    }

    /// From now on calls are answered by `hook`, unless it has no answer.
    pub fn hook(&self, hook: impl Fn(&str) -> Option<Response<Body>> + Send + Sync + 'static) {
        *self.0.hook.lock() = Some(Box::new(hook));
    }

    pub fn queued(&self) -> usize {
        self.0.queue.lock().len()
    }

    /// Messages that were taken out of the queue to be written.
    pub fn written(&self) -> usize {
        self.0.written.load(Relaxed)
    }

    /// Requests for alerts so far.
    pub fn requests(&self) -> usize {
        *self.0.requests.borrow()
    }

    /// Returns once so many requests came.
    pub async fn requested(&self, count: usize) {
        let _ = self.0.requests.subscribe().wait_for(|requests| *requests >= count).await;
    }

    /// Returns once so many streams have answered their request and wait for the next.
    pub async fn awaiting_requests(&self, count: usize) {
        let _ = self.0.waiting.subscribe().wait_for(|waiting| *waiting >= count).await;
    }

    fn serve(&self, socket: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static) {
        let falco = self.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let falco = falco.clone();
            async move { Ok::<_, Infallible>(falco.answer(request).await) }
        });
        self.0.connections.lock().spawn(async move {
            let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        if let Some(answer) = self.0.hook.lock().as_ref().and_then(|hook| hook(&path)) {
            return answer;
        }
        let mut grpc = tonic::server::Grpc::new(Raw);
        let falco = self.clone();
        match path.as_str() {
            grpc_path::SUB => {
                let sub = move |request: tonic::Request<Streaming<Bytes>>| {
                    let falco = falco.clone();
                    async move { Ok(tonic::Response::new(lazily(falco.sub(request.into_inner())).await)) }
                };
                grpc.streaming(tower::service_fn(sub), request).await
            }
            grpc_path::GET => {
                let get = move |_: tonic::Request<Bytes>| {
                    let falco = falco.clone();
                    async move { Ok::<_, Status>(tonic::Response::new(lazily(falco.get()).await)) }
                };
                grpc.server_streaming(tower::service_fn(get), request).await
            }
            grpc_path::VERSION => {
                let version = move |_: tonic::Request<Bytes>| {
                    let version = falco.0.version.lock().clone();
                    let answer = version.ok_or_else(|| Status::unimplemented("no such service"));
                    async move { Ok::<_, Status>(tonic::Response::new(answer?.encode_to_vec().into())) }
                };
                grpc.unary(tower::service_fn(version), request).await
            }
            _ => unimplemented_answer(),
        }
    }

    fn next(&self) -> Option<Item> {
        let item = self.0.queue.lock().pop_front();
        if item.is_some() {
            self.0.written.fetch_add(1, Relaxed);
        }
        item
    }

    fn get(&self) -> Answer {
        self.0.requests.send_modify(|requests| *requests += 1);
        let falco = self.clone();
        stream::poll_fn(move |_| std::task::Poll::Ready(falco.next())).boxed()
    }

    fn sub(&self, requests: Streaming<Bytes>) -> Answer {
        let (falco, ending) = (self.clone(), self.0.ending.subscribe());
        let asked = false;
        stream::unfold((requests, ending, asked), move |(mut requests, mut ending, mut asked)| {
            let falco = falco.clone();
            async move {
                loop {
                    if asked && let Some(item) = falco.next() {
                        return Some((item, (requests, ending, true)));
                    }
                    falco.0.waiting.send_modify(|waiting| *waiting += 1);
                    let _waiting = Waiting(&falco.0.waiting);
                    tokio::select! {
                        request = requests.next() => match request {
                            Some(Ok(_)) => falco.0.requests.send_modify(|requests| *requests += 1),
                            // The client will ask no more, or is gone.
                            _ => return None,
                        },
                        _ = ending.changed() => return None,
                    }
                    asked = true;
                }
            }
        })
        .boxed()
    }
}

struct Waiting<'a>(&'a watch::Sender<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

/// Returns, and with it sends the headers, with the first message.
async fn lazily(mut answer: Answer) -> Answer {
    let first = answer.next().await;
    stream::iter(first).chain(answer).boxed()
}

/// How a gRPC server without the service answers.
pub fn unimplemented_answer() -> Response<Body> {
    Status::unimplemented("unknown service").into_http()
}

/// Messages as bytes, so that tests can send what is none.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        Self
    }
    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn encode(&mut self, item: Bytes, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buf.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buf.copy_to_bytes(buf.remaining())))
    }
}

/// An alert in text form, told apart by `number`, which is also its time in nanoseconds behind a fixed second.
pub fn alert(number: usize) -> outputs::Response {
    let field = |key: &'static str, value: String| outputs::OutputField { key: key.into(), value: value.into() };
    outputs::Response {
        time: Some(prost_types::Timestamp { seconds: 1_795_348_800, nanos: number as i32 }),
        priority: 5,
        rule: "Terminal shell in container".into(),
        output: format!("12:00:00.{number:09}: Notice A shell was spawned").into(),
        output_fields: vec![
            field("proc.name", "sh".into()),
            field("proc.pid", number.to_string()),
            field("k8s.ns.name", "<NA>".into()),
        ],
        hostname: "node-a".into(),
        tags: vec!["container".into(), "shell".into()],
        source: "syscall".into(),
        ..outputs::Response::default()
    }
}

/// What is there of a stream right now.
pub fn ready_now<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> Option<Option<T>> {
    stream.next().now_or_never()
}
