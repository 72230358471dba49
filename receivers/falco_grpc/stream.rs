//! `Stream`: a connection of any kind that remembers how the server began to speak, and what TLS said.
//!
//! A client that expects HTTP/2 and meets something else gets a protocol error that says little. The first bytes say
//! what it met: an HTTP/2 server begins with a frame of settings. And hyper does not hand on why a connection broke, which
//! after a handshake of TLS 1.3 may be the server's refusal of the client's certificate.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How a server began to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    Http2,
    Http1,
    /// A TLS alert: it did not understand plaintext.
    Tls,
    Other,
}

/// So many bytes tell.
const TELLING: usize = 5;

impl Greeting {
    fn of(first: &[u8; TELLING]) -> Self {
        match first {
            b"HTTP/" => Self::Http1,
            // Length (three bytes), type 4: SETTINGS.
            [_, _, _, 4, _] => Self::Http2,
            // Type 21: alert; major version 3.
            [21, 3, ..] => Self::Tls,
            _ => Self::Other,
        }
    }
}

/// What a [`Stream`] met, for whoever does not own it any more.
#[derive(Clone, Debug, Default)]
pub struct Met(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    greeting: OnceLock<Greeting>,
    refusal: OnceLock<rustls::Error>,
}

impl Met {
    /// The greeting; none while the server has said nothing.
    pub fn greeting(&self) -> Option<Greeting> {
        self.0.greeting.get().copied()
    }

    /// The error with which TLS ended the connection.
    pub fn refusal(&self) -> Option<&rustls::Error> {
        self.0.refusal.get()
    }

    fn note<T>(&self, done: &Poll<io::Result<T>>) {
        if let Poll::Ready(Err(error)) = done
            && let Some(refusal) = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>())
        {
            // The first one is the reason; those behind it follow from it.
            let _ = self.0.refusal.set(refusal.clone());
        }
    }
}

/// A connection.
pub struct Stream {
    io: Box<dyn Io>,
    first: Vec<u8>,
    met: Met,
}

/// Anything that can be read and written.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Stream {
    /// Wraps a connection on which nothing was read yet.
    pub fn new(io: impl Io + 'static) -> Self {
        Self { io: Box::new(io), first: Vec::with_capacity(TELLING), met: Met::default() }
    }

    /// Where to look for the greeting.
    pub fn met(&self) -> Met {
        self.met.clone()
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        self.met.note(&read);
        let missing = TELLING - self.first.len();
        if missing > 0 {
            let new = buf.filled().get(before..).unwrap_or_default();
            self.first.extend(new.iter().take(missing));
            if let Ok(first) = <&[u8; TELLING]>::try_from(&*self.first) {
                // Set once: `missing` is 0 from now on.
                let _ = self.met.0.greeting.set(Greeting::of(first));
            }
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.met.note(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.met.note(&flushed);
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
