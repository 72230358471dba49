//! The connections of one client, by origin: those of HTTP/1 that are idle, and the one of HTTP/2 that all requests share.
//!
//! Promises
//! - A connection of HTTP/1 has one request at a time; it serves the next one once the reply was read to its end. What is
//!   dropped before is closed.
//! - What is idle for [`IDLE`] is closed, a third later at most; and at once with the client. What the server has closed gets no
//!   more requests.
//!
//! Why not hyper-util's client: it copies its connector and its settings twice for every request, in case that one must connect,
//! and a sink may take one event a request.

use super::http1::{Body, Http1};
use bytes::Bytes;
use http::{Request, Response};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    client::conn::{TrySendError, http2},
};
use parking_lot::Mutex;
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

/// How long a connection without a request is kept.
const IDLE: Duration = Duration::from_secs(90);
/// How often idle connections are looked at within that time.
const LOOKS: u32 = 3;

/// See the head of the module.
#[derive(Default)]
pub struct Connections {
    origins: Mutex<Vec<Origin>>,
    /// How often idle connections were looked at.
    looks: AtomicU32,
    /// Whether somebody looks at them.
    watched: AtomicBool,
}

/// The connections to one server. There are as many as a configuration has URLs.
struct Origin {
    name: Box<str>,
    /// With the look before which it was put back, the last one last.
    idle: Vec<(Http1, u32)>,
    shared: Option<http2::SendRequest<Body>>,
}

/// A connection for one request.
pub enum Connection {
    Http1(Http1),
    Http2(http2::SendRequest<Body>),
}

impl Connection {
    /// Sends a request.
    ///
    /// # Errors
    /// There is no reply. The error gives a request back that was not sent.
    pub async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        match self {
            Self::Http1(connection) => connection.send(request).await,
            Self::Http2(sender) => sender.try_send_request(request).await,
        }
    }
}

/// The body of a reply, and the connection that it comes over.
pub struct Received {
    connection: Connection,
    body: Incoming,
}

impl Received {
    pub fn new(connection: Connection, body: Incoming) -> Self {
        Self { connection, body }
    }

    /// The connection. The rest of the body is not wanted.
    pub fn into_connection(self) -> Connection {
        self.connection
    }
}

impl hyper::body::Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Connection::Http1(connection) = &mut self.connection {
            connection.work(cx);
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Connections {
    /// A connection to `origin` that is there.
    pub fn take(&self, origin: &str) -> Option<Connection> {
        let mut origins = self.origins.lock();
        let known = origins.iter_mut().find(|known| &*known.name == origin)?;
        if let Some(shared) = &known.shared {
            if !shared.is_closed() {
                return Some(Connection::Http2(shared.clone()));
            }
            known.shared = None;
        }
        while let Some((mut connection, _)) = known.idle.pop() {
            if connection.is_idle() {
                return Some(Connection::Http1(connection));
            }
        }
        None
    }

    /// Takes note of a new connection to `origin`; which one to use.
    pub fn add(self: &Arc<Self>, origin: &str, new: Connection) -> Connection {
        if !self.watched.swap(true, Relaxed) {
            tokio::spawn(watch(Arc::downgrade(self)));
        }
        let mut origins = self.origins.lock();
        let known = match origins.iter().position(|known| &*known.name == origin) {
            Some(place) => &mut origins[place],
            None => {
                origins.push(Origin { name: origin.into(), idle: Vec::new(), shared: None });
                // It was just pushed.
                let Some(new) = origins.last_mut() else { return new };
                new
            }
        };
        match (&known.shared, new) {
            // Others were connecting at the same time.
            (Some(shared), Connection::Http2(_)) if !shared.is_closed() => Connection::Http2(shared.clone()),
            (_, Connection::Http2(sender)) => {
                known.shared = Some(sender.clone());
                Connection::Http2(sender)
            }
            (_, new) => new,
        }
    }

    /// Gives a connection back whose reply was read, or will not be read any further. One that is not done with the request is
    /// closed.
    pub fn give_back(&self, origin: &str, connection: Connection) {
        let Connection::Http1(mut connection) = connection else { return };
        if !connection.is_done() {
            return;
        }
        if let Some(known) = self.origins.lock().iter_mut().find(|known| &*known.name == origin) {
            known.idle.push((connection, self.looks.load(Relaxed)));
        }
    }

    /// Closes what has been idle for long.
    fn look(&self) {
        let look = self.looks.fetch_add(1, Relaxed);
        for known in self.origins.lock().iter_mut() {
            known.idle.retain_mut(|(connection, since)| look.wrapping_sub(*since) < LOOKS && connection.is_idle());
        }
    }
}

/// Looks at idle connections until the client is gone.
async fn watch(connections: std::sync::Weak<Connections>) {
    loop {
        tokio::time::sleep(IDLE / LOOKS).await;
        match connections.upgrade() {
            Some(connections) => connections.look(),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, DuplexStream};

    /// A connection that was used, and the server's end of it.
    async fn used(connections: &Arc<Connections>) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(64);
        let new = Http1::new(TokioIo::new(ours)).await.unwrap();
        let connection = connections.add("http://a", Connection::Http1(new));
        connections.give_back("http://a", connection);
        turns().await;
        theirs
    }

    /// With one thread, what is ready has run after a few turns.
    async fn turns() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    /// Scenario: a connection idles for as long as it may, is used, and idles for longer.
    /// Guarantee: it is there, and is closed.
    #[tokio::test(start_paused = true)]
    async fn what_is_idle_is_closed_in_time() {
        let connections = Arc::new(Connections::default());
        let mut server = used(&connections).await;
        tokio::time::sleep(IDLE).await;
        let connection = connections.take("http://a").unwrap();
        connections.give_back("http://a", connection);
        tokio::time::sleep(IDLE + IDLE / LOOKS + Duration::from_secs(1)).await;
        assert!(connections.take("http://a").is_none());
        assert_eq!(server.read(&mut [0; 1]).await.unwrap(), 0);
    }

    /// Scenario: three connections, of which the server closes one; another origin; the client goes.
    /// Guarantee: two are given to one request each; those that are idle are closed with the client.
    #[tokio::test(start_paused = true)]
    async fn what_the_server_closed_is_not_used() {
        let connections = Arc::new(Connections::default());
        let mut servers = [used(&connections).await, used(&connections).await, used(&connections).await];
        servers[1] = tokio::io::duplex(1).0;
        turns().await;
        let taken = [(); 3].map(|()| connections.take("http://a"));
        assert_eq!(taken.iter().flatten().count(), 2);
        assert!(connections.take("http://b").is_none());
        taken.into_iter().flatten().for_each(|connection| connections.give_back("http://a", connection));
        drop(connections);
        for server in [0, 2] {
            assert_eq!(servers[server].read(&mut [0; 1]).await.unwrap(), 0);
        }
    }
}
