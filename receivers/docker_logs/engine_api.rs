//! The Docker Engine API, as far as this receiver needs it.
//!
//! Listing, inspecting and events go through `bollard`. The log stream is fetched with hyper itself, because the
//! client library knows `since` only in whole seconds and decodes the body in its own way (see `framing`).

use super::select::Candidate;
use bollard::{
    API_DEFAULT_VERSION, Docker,
    errors::Error as BollardError,
    models::{ContainerInspectResponse, EventMessage},
    query_parameters::{EventsOptionsBuilder, ListContainersOptionsBuilder},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, body::Incoming};
use hyper_util::rt::TokioIo;
use lanner_engine::prelude::BoxError;
use std::{collections::HashMap, fmt, str::FromStr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

/// How long the daemon may take to answer the head of a request.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// About as much of an error text as a log line should hold.
const ERROR_MAX: usize = 1024;

/// Where the daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Unix(String),
    /// `host:port`, without TLS: for a socket proxy on a private network.
    Tcp(String),
}

/// A text that is no endpoint.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an endpoint of a Docker daemon; write `unix:///var/run/docker.sock` or `tcp://host:2375`")]
pub struct InvalidEndpoint(pub String);

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let invalid = || InvalidEndpoint(text.to_owned());
        if let Some(path) = text.strip_prefix("unix://") {
            return if path.starts_with('/') { Ok(Self::Unix(path.to_owned())) } else { Err(invalid()) };
        }
        let address = text.strip_prefix("tcp://").or_else(|| text.strip_prefix("http://")).ok_or_else(invalid)?;
        let address = address.trim_end_matches('/');
        let authority: http::uri::Authority = address.parse().map_err(|_| invalid())?;
        match authority.port_u16() {
            Some(_) if !address.contains('@') => Ok(Self::Tcp(address.to_owned())),
            None if !address.contains('@') => Ok(Self::Tcp(format!("{address}:2375"))),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{path}"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

/// What inspecting a container tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspected {
    pub candidate: Candidate,
    pub tty: bool,
    pub running: bool,
    /// The daemon's text; compared, never computed with.
    pub started_at: String,
    pub log_driver: String,
}

/// Something happened to a container.
#[derive(Clone, Debug)]
pub struct Happened {
    /// `start`, `die`, ...
    pub action: String,
    pub candidate: Candidate,
    /// In nanoseconds since 1970.
    pub time: u64,
}

/// Why a request failed, by what is to be done about it.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The container is removed or being removed.
    #[error("the container is gone")]
    Gone,
    /// The container's logging driver does not keep what it gets. Permanent for this container.
    #[error("the logging driver cannot be read; use json-file, local or journald for this container")]
    Unreadable,
    /// Worth another attempt.
    #[error(transparent)]
    Failed(#[from] BoxError),
}

impl From<BollardError> for ApiError {
    fn from(error: BollardError) -> Self {
        match error {
            BollardError::DockerResponseServerError { status_code: 404 | 409, .. } => Self::Gone,
            BollardError::DockerResponseServerError { status_code: 501, .. } => Self::Unreadable,
            other => Self::Failed(other.into()),
        }
    }
}

/// The daemon answered with something unexpected.
#[derive(Debug, thiserror::Error)]
#[error("the daemon answered {status}: {message}")]
struct UnexpectedAnswer {
    status: StatusCode,
    message: String,
}

/// A connected daemon. Clones share the client; every log stream has a connection of its own.
#[derive(Clone)]
pub struct Engine {
    docker: Docker,
    endpoint: Endpoint,
}

impl Engine {
    /// Connects and agrees on an API version.
    ///
    /// # Errors
    /// The daemon cannot be reached.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, ApiError> {
        let seconds = ANSWER_WITHIN.as_secs();
        let docker = match endpoint {
            Endpoint::Unix(path) => Docker::connect_with_unix(path, seconds, API_DEFAULT_VERSION),
            Endpoint::Tcp(_) => Docker::connect_with_http(&endpoint.to_string(), seconds, API_DEFAULT_VERSION),
        }?;
        Ok(Self { docker: docker.negotiate_version().await?, endpoint: endpoint.clone() })
    }

    /// All containers, with whether each runs.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub async fn list(&self) -> Result<Vec<(Candidate, bool)>, ApiError> {
        use bollard::models::ContainerSummaryStateEnum as State;
        let options = ListContainersOptionsBuilder::new().all(true).build();
        let containers = self.docker.list_containers(Some(options)).await?;
        let known = containers.into_iter().filter_map(|container| {
            let running = matches!(container.state, Some(State::RUNNING | State::PAUSED | State::RESTARTING));
            let name = container.names.unwrap_or_default().into_iter().next().unwrap_or_default();
            let candidate = Candidate {
                id: container.id?,
                name: name.trim_start_matches('/').to_owned(),
                image: container.image.unwrap_or_default(),
                labels: container.labels.unwrap_or_default(),
            };
            Some((candidate, running))
        });
        Ok(known.collect())
    }

    /// What there is to know about one container.
    ///
    /// # Errors
    /// [`ApiError::Gone`], or the daemon does not answer.
    pub async fn inspect(&self, id: &str) -> Result<Inspected, ApiError> {
        let ContainerInspectResponse { name, config, state, host_config, .. } =
            self.docker.inspect_container(id, None).await?;
        let config = config.unwrap_or_default();
        let state = state.unwrap_or_default();
        Ok(Inspected {
            candidate: Candidate {
                id: id.to_owned(),
                name: name.unwrap_or_default().trim_start_matches('/').to_owned(),
                image: config.image.unwrap_or_default(),
                labels: config.labels.unwrap_or_default(),
            },
            tty: config.tty.unwrap_or_default(),
            running: state.running.unwrap_or_default() || state.restarting.unwrap_or_default(),
            started_at: state.started_at.unwrap_or_default(),
            log_driver: host_config.and_then(|host| host.log_config).and_then(|log| log.typ).unwrap_or_default(),
        })
    }

    /// Containers as they start and change names, from `since` (nanoseconds since 1970) on. Only a hint: the daemon
    /// leaves out events for a slow listener.
    pub fn events(&self, since: u64) -> impl Stream<Item = Result<Happened, ApiError>> + Send + use<> {
        let filters: HashMap<String, Vec<String>> = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            ("event".to_owned(), ["start", "rename"].map(str::to_owned).to_vec()),
        ]);
        let options = EventsOptionsBuilder::new().since(&seconds(since)).filters(&filters).build();
        self.docker.events(Some(options)).filter_map(async |event| match event {
            Ok(event) => happened(event).map(Ok),
            Err(error) => Some(Err(error.into())),
        })
    }

    /// Opens the log of a container from `since` (nanoseconds since 1970; 0 is all of it) on. Follows a container that
    /// runs, ends with the log of one that does not.
    ///
    /// # Errors
    /// [`ApiError::Gone`], [`ApiError::Unreadable`], or the daemon does not answer.
    pub async fn logs(&self, id: &str, streams: &[crate::container::Stream], since: u64) -> Result<Body, ApiError> {
        let mut path = format!("/v{}/containers/{id}/logs?follow=1&timestamps=1", self.docker.client_version());
        for stream in streams {
            path = format!("{path}&{}=1", stream.as_str());
        }
        if since > 0 {
            path = format!("{path}&since={}", seconds(since));
        }
        get(&self.endpoint, &path).await
    }
}

/// Sends a request on a connection of its own.
async fn get(endpoint: &Endpoint, path: &str) -> Result<Body, ApiError> {
    let answer = timeout(ANSWER_WITHIN, async {
        match endpoint {
            Endpoint::Unix(socket) => {
                send(UnixStream::connect(socket).await.map_err(BoxError::from)?, "docker", path).await
            }
            Endpoint::Tcp(address) => {
                send(TcpStream::connect(address).await.map_err(BoxError::from)?, address, path).await
            }
        }
    });
    answer.await.map_err(|late| ApiError::Failed(late.into()))?
}

/// The body of an answer, and the task that drives its connection.
#[derive(Debug)]
pub struct Body {
    body: Incoming,
    _connection: AbortOnDropHandle<()>,
}

impl Body {
    /// The next bytes; `None` at the end. Cancel-safe.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BoxError> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// The first `limit` bytes, give or take a chunk.
    async fn collect(mut self, limit: usize) -> Result<Vec<u8>, BoxError> {
        let mut all = Vec::new();
        while all.len() < limit
            && let Some(bytes) = self.next().await?
        {
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }
}

async fn send(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    host: &str,
    path: &str,
) -> Result<Body, ApiError> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(BoxError::from)?;
    // Ends with the body: the handle is kept beside it. What goes wrong on the connection shows in the body.
    let connection = AbortOnDropHandle::new(tokio::spawn(async move {
        let _ = connection.await;
    }));
    let request = Request::get(path).header(hyper::header::HOST, host).body(Empty::<Bytes>::new());
    let answer = sender.send_request(request.map_err(BoxError::from)?).await.map_err(BoxError::from)?;
    match answer.status() {
        StatusCode::OK => Ok(Body { body: answer.into_body(), _connection: connection }),
        StatusCode::NOT_FOUND | StatusCode::CONFLICT => Err(ApiError::Gone),
        StatusCode::NOT_IMPLEMENTED => Err(ApiError::Unreadable),
        status => {
            let body = Body { body: answer.into_body(), _connection: connection };
            let message = String::from_utf8_lossy(&body.collect(ERROR_MAX).await?).into_owned();
            Err(ApiError::Failed(UnexpectedAnswer { status, message }.into()))
        }
    }
}

/// Events list labels, name and image of the container side by side.
fn happened(event: EventMessage) -> Option<Happened> {
    let actor = event.actor?;
    let mut labels = actor.attributes.unwrap_or_default();
    let name = labels.remove("name").unwrap_or_default();
    let image = labels.remove("image").unwrap_or_default();
    Some(Happened {
        action: event.action?,
        candidate: Candidate { id: actor.id?, name, image, labels },
        time: event.time_nano.and_then(|time| u64::try_from(time).ok()).unwrap_or_default(),
    })
}

/// Docker's `seconds.nanoseconds`.
fn seconds(nanos: u64) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}
