//! One connection of HTTP/1, which works in the task that has a request on it.
//!
//! Promises: without a request nothing happens on it, so whoever keeps it must ask now and then whether the server has closed it
//! ([`Http1::is_idle`]); dropped, it is closed, whatever is on its way.
//!
//! Why not in a task of its own: a request and its reply would cross from one task to the other and back, which costs more than
//! the connection's work.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{self, SendRequest},
    },
    rt::{Read, Write},
};
use reqwest::Url;
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Waker},
};
use tokio::task::coop::unconstrained;

/// The body of a request.
pub type Body = Full<Bytes>;

/// See the head of the module.
pub struct Http1 {
    sender: SendRequest<Body>,
    /// `None` once it is closed.
    work: Option<Work>,
    /// Where its last request went, which is mostly where the next one goes.
    pub last: Option<Box<Place>>,
}

/// Where requests go, as they say it.
pub struct Place {
    pub url: Url,
    pub path: Uri,
    pub host: HeaderValue,
}

type Work = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

impl Http1 {
    /// A connection over `io`.
    ///
    /// # Errors
    /// None today, since there is nothing to agree upon.
    pub async fn new(io: impl Read + Write + Unpin + Send + 'static) -> hyper::Result<Self> {
        let (sender, connection) = http1::handshake(io).await?;
        Ok(Self { sender, work: Some(Box::pin(connection)), last: None })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// There is no reply. The error gives a request back that was not sent.
    pub async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        // It is answered by the connection's work, after which it is always asked. So it need not wake anybody, least of all
        // this task, which would run once more for nothing.
        let mut reply = pin!(unconstrained(self.sender.try_send_request(request)));
        poll_fn(|cx| {
            work(&mut self.work, cx);
            reply.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        })
        .await
    }

    /// Does what can be done now.
    pub fn work(&mut self, cx: &mut Context<'_>) {
        work(&mut self.work, cx);
    }

    /// Whether it is done with its request and can take another one. The reply must not be held any more.
    pub fn is_done(&mut self) -> bool {
        self.sender.is_ready() || self.is_idle()
    }

    /// Whether it can take a request, the server not having closed it meanwhile.
    pub fn is_idle(&mut self) -> bool {
        // Nobody waits for anything here.
        self.work(&mut Context::from_waker(Waker::noop()));
        self.sender.is_ready()
    }
}

/// See [`Http1::work`].
fn work(connection: &mut Option<Work>, cx: &mut Context<'_>) {
    // Why it ended is told to the request, if there is one.
    if connection.as_mut().is_some_and(|connection| connection.as_mut().poll(cx).is_ready()) {
        *connection = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::connections::{Connection, Received};
    use http_body_util::BodyExt;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n";

    async fn connected() -> (Http1, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1024);
        (Http1::new(TokioIo::new(ours)).await.unwrap(), theirs)
    }

    fn request() -> Request<Body> {
        Request::post("/").body(Body::from("sent")).unwrap()
    }

    /// Sends a request, which the server answers with these bytes.
    async fn answered(connection: Http1, server: &mut DuplexStream, answer: &[u8]) -> Received {
        let mut connection = Connection::Http1(connection);
        let serve = async {
            assert!(server.read(&mut [0; 1024]).await.unwrap() > 0, "the request");
            server.write_all(answer).await.unwrap();
        };
        let (reply, ()) = tokio::join!(connection.send(request()), serve);
        Received::new(connection, reply.unwrap().into_body())
    }

    fn given_back(received: Received) -> Http1 {
        match received.into_connection() {
            Connection::Http1(connection) => connection,
            Connection::Http2(_) => unreachable!("it was HTTP/1"),
        }
    }

    /// Scenario: a reply whose body comes later than its head, then one with all in one, and one of whose body the rest, which
    /// has not come, is not wanted.
    /// Guarantee: bodies are whole; the connection serves the next request where one was read, and is closed where it was not.
    #[tokio::test]
    async fn it_works_while_somebody_waits() {
        let (connection, mut server) = connected().await;
        let mut received = answered(connection, &mut server, HEAD).await;
        let (body, ()) = tokio::join!((&mut received).collect(), async {
            for part in [b"bo", b"dy"] {
                tokio::task::yield_now().await;
                server.write_all(part).await.unwrap();
            }
        });
        assert_eq!(body.unwrap().to_bytes(), "body");
        let mut connection = given_back(received);
        assert!(connection.is_done());
        let mut received = answered(connection, &mut server, &[HEAD, b"body"].concat()).await;
        assert_eq!((&mut received).collect().await.unwrap().to_bytes(), "body");
        let mut connection = given_back(received);
        assert!(connection.is_done() && connection.is_idle());
        let received = answered(connection, &mut server, &[HEAD, b"bo"].concat()).await;
        assert!(!given_back(received).is_done());
        assert_eq!(server.read(&mut [0; 1]).await.unwrap(), 0);
    }

    /// Scenario: the server closes an idle connection, before it is looked at and right after; in the middle of a reply.
    /// Guarantee: it is seen; a request for it comes back; half a reply is an error.
    #[tokio::test]
    async fn a_server_may_close_it() {
        let (connection, mut server) = connected().await;
        let mut received = answered(connection, &mut server, &[HEAD, b"body"].concat()).await;
        (&mut received).collect().await.unwrap();
        let mut connection = given_back(received);
        assert!(connection.is_idle());
        drop(server);
        let mut failed = connection.send(request()).await.unwrap_err();
        assert!(failed.take_message().is_some());
        assert!(!connection.is_idle());
        assert!(connection.send(request()).await.unwrap_err().take_message().is_some());

        let (connection, mut server) = connected().await;
        let mut received = answered(connection, &mut server, &[HEAD, b"bo"].concat()).await;
        drop(server);
        assert!((&mut received).collect().await.is_err());
        assert!(!given_back(received).is_done());
    }
}
