//! An engine that misbehaves as told: the Docker Engine API on a Unix socket, as far as the receiver uses it.

use super::framing::frame;
use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body_util::StreamBody;
use hyper::{Request, Response, StatusCode, body::Frame, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};
use tokio::{net::UnixListener, sync::mpsc};
use tokio_util::task::AbortOnDropHandle;

type Chunk = Result<Frame<Bytes>, io::Error>;
type Body = StreamBody<Pin<Box<dyn Stream<Item = Chunk> + Send>>>;

/// How the engine answers one request for a log.
#[derive(Clone, Debug)]
pub enum Reply {
    /// So many bytes of the log, then the connection breaks.
    Cut(usize),
    /// The log, then a clean end although the container runs.
    End,
    /// A status instead.
    Status(u16),
    /// These bytes in front of the log.
    Before(Vec<u8>),
}

/// A container of the fake.
#[derive(Clone, Debug, Default)]
pub struct FakeContainer {
    pub name: String,
    pub tty: bool,
    pub running: bool,
    /// Counts its starts.
    pub starts: u32,
    /// Time, and the frame or raw line.
    log: Vec<(u64, Vec<u8>)>,
    /// Answers to the next requests for its log; afterwards it is followed properly.
    pub replies: VecDeque<Reply>,
    followers: Vec<mpsc::UnboundedSender<Chunk>>,
}

#[derive(Default)]
struct State {
    containers: Vec<(String, FakeContainer)>,
    requests: Vec<String>,
    listeners: Vec<mpsc::UnboundedSender<Chunk>>,
}

/// The fake. Its socket and all connections end when it is dropped.
pub struct FakeEngine {
    state: Arc<Mutex<State>>,
    path: PathBuf,
    server: Mutex<Option<AbortOnDropHandle<()>>>,
}

/// Nanoseconds as Docker writes them.
pub fn stamp(time: u64) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(time)).unwrap();
    format!("{time:.9}")
}

impl FakeEngine {
    pub fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lanner-fake-{}-{}.sock", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let engine = Self { state: Arc::default(), path: std::env::temp_dir().join(name), server: Mutex::default() };
        engine.come_back();
        engine
    }

    /// Ends as a killed daemon does: every connection breaks, and no more are let in. The containers run on.
    pub fn leave(&self) {
        *self.server.lock() = None;
        let _ = std::fs::remove_file(&self.path);
        let mut state = self.state.lock();
        state.listeners.clear();
        state.containers.iter_mut().for_each(|(_, container)| container.followers.clear());
    }

    /// Serves again after [`FakeEngine::leave`].
    pub fn come_back(&self) {
        let listener = UnixListener::bind(&self.path).unwrap();
        let server = tokio::spawn(serve(listener, Arc::clone(&self.state)));
        *self.server.lock() = Some(AbortOnDropHandle::new(server));
    }

    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// Adds a container; nobody is told.
    pub fn add(&self, id: &str, container: FakeContainer) {
        self.state.lock().containers.push((id.to_owned(), container));
    }

    /// Removes a container and ends its streams.
    pub fn remove(&self, id: &str) {
        self.state.lock().containers.retain(|(known, _)| known != id);
    }

    /// Changes a container.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut FakeContainer)) {
        let mut state = self.state.lock();
        let (_, container) = state.containers.iter_mut().find(|(known, _)| known == id).unwrap();
        change(container);
    }

    /// Appends a part to a container's log, also for those who follow it.
    pub fn write(&self, id: &str, stream: u8, time: u64, content: &str) {
        self.change(id, |container| container.write(stream, time, content));
    }

    /// Sends an event about a container that is (or was) there.
    pub fn event(&self, action: &str, id: &str, name: &str) {
        let event = serde_json::json!({
            "Type": "container", "Action": action, "time": 1, "timeNano": 1,
            "Actor": {"ID": id, "Attributes": {"name": name, "image": "fake"}},
        });
        let line = Bytes::from(format!("{event}\n"));
        self.state.lock().listeners.retain(|listener| listener.send(Ok(Frame::data(line.clone()))).is_ok());
    }

    /// Ends the event streams.
    pub fn hang_up_events(&self) {
        self.state.lock().listeners.clear();
    }

    /// How many event streams are open.
    pub fn listeners(&self) -> usize {
        self.state.lock().listeners.len()
    }

    /// The requests whose path contains `part`.
    pub fn requests(&self, part: &str) -> Vec<String> {
        self.state.lock().requests.iter().filter(|path| path.contains(part)).cloned().collect()
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl FakeContainer {
    /// A running container.
    pub fn running(name: &str) -> Self {
        Self { name: name.to_owned(), running: true, ..Self::default() }
    }

    /// Appends a part of a line. A line ends where `content` says so.
    pub fn write(&mut self, stream: u8, time: u64, content: &str) {
        let text = format!("{} {content}", stamp(time));
        let bytes = if self.tty { text.into_bytes() } else { frame(stream, text.as_bytes()) };
        self.followers.retain(|follower| follower.send(Ok(Frame::data(bytes.clone().into()))).is_ok());
        self.log.push((time, bytes));
    }

    /// Loses its oldest parts.
    pub fn rotate(&mut self, parts: usize) {
        self.log.drain(..parts);
    }

    /// Stops: those who follow see the end of the log.
    pub fn exit(&mut self) {
        self.running = false;
        self.followers.clear();
    }

    fn inspected(&self, id: &str) -> String {
        serde_json::json!({
            "Id": id, "Name": format!("/{}", self.name),
            "Config": {"Tty": self.tty, "Image": "fake:1", "Labels": {}},
            "State": {"Running": self.running, "StartedAt": format!("2026-01-01T00:00:{:02}Z", self.starts)},
            "HostConfig": {"LogConfig": {"Type": "json-file", "Config": {}}},
        })
        .to_string()
    }

    fn answer(&mut self, since: u64) -> Response<Body> {
        let first = self.log.iter().position(|(time, _)| *time >= since).unwrap_or(self.log.len());
        let mut bytes: Vec<u8> = self.log[first..].iter().flat_map(|(_, frame)| frame).copied().collect();
        let (sender, receiver) = mpsc::unbounded_channel();
        let send = |bytes: Vec<u8>| sender.send(Ok(Frame::data(bytes.into()))).unwrap();
        match self.replies.pop_front() {
            Some(Reply::Status(status)) => return text(status, r#"{"message":"as told"}"#.into()),
            Some(Reply::Cut(length)) => {
                bytes.truncate(length);
                send(bytes);
                sender.send(Err(io::Error::other("cut"))).unwrap();
            }
            Some(Reply::End) => send(bytes),
            Some(Reply::Before(mut before)) => {
                before.extend(bytes);
                send(before);
            }
            None => {
                send(bytes);
                if self.running {
                    self.followers.push(sender);
                }
            }
        }
        body(200, receiver)
    }
}

async fn serve(listener: UnixListener, state: Arc<Mutex<State>>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        let service = service_fn(move |request: Request<Incoming>| {
            let answer = answer(&state, &request);
            async { Ok::<_, Infallible>(answer) }
        });
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

fn answer(state: &Mutex<State>, request: &Request<Incoming>) -> Response<Body> {
    let mut state = state.lock();
    state.requests.push(request.uri().to_string());
    let query = request.uri().query().unwrap_or_default();
    // The client library sends paths without a version, whatever it agreed on.
    let path: Vec<&str> = request.uri().path().split('/').skip(1).filter(|part| *part != "v1.41").collect();
    match &path[..] {
        ["version"] => text(200, r#"{"ApiVersion":"1.41"}"#.into()),
        ["containers", "json"] => {
            let list = state.containers.iter().map(|(id, container)| {
                let status = if container.running { "running" } else { "exited" };
                serde_json::json!({"Id": id, "Names": [format!("/{}", container.name)], "Image": "fake:1", "State": status})
            });
            let list: Vec<_> = list.collect();
            text(200, serde_json::Value::from(list).to_string())
        }
        ["events"] => {
            let (sender, receiver) = mpsc::unbounded_channel();
            state.listeners.push(sender);
            body(200, receiver)
        }
        ["containers", id, what] => match state.containers.iter_mut().find(|(known, _)| known == id) {
            None => text(404, r#"{"message":"No such container"}"#.into()),
            Some((id, container)) if *what == "json" => text(200, container.inspected(id)),
            Some((_, container)) => container.answer(since(query)),
        },
        _ => text(400, r#"{"message":"unknown request"}"#.into()),
    }
}

fn since(query: &str) -> u64 {
    let since = query.split('&').find_map(|pair| pair.strip_prefix("since=")).unwrap_or("0.0");
    let (seconds, nanos) = since.split_once('.').unwrap();
    seconds.parse::<u64>().unwrap() * 1_000_000_000 + format!("{nanos:0<9}").parse::<u64>().unwrap()
}

fn text(status: u16, text: String) -> Response<Body> {
    let (sender, receiver) = mpsc::unbounded_channel();
    sender.send(Ok(Frame::data(text.into()))).unwrap();
    body(status, receiver)
}

fn body(status: u16, receiver: mpsc::UnboundedReceiver<Chunk>) -> Response<Body> {
    let chunks = stream::unfold(receiver, async |mut receiver| {
        let chunk = receiver.recv().await?;
        if chunk.is_err() {
            // The server sends what it has while it waits, and nothing any more after an error.
            tokio::task::yield_now().await;
        }
        Some((chunk, receiver))
    });
    let mut response = Response::new(StreamBody::new(Box::pin(chunks) as Pin<Box<dyn Stream<Item = Chunk> + Send>>));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}
