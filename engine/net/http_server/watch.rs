//! `Watch`: how long a connection has been idle, or busy sending a request head.
//!
//! Promises: one clock reading and no timer operation on the path of a request: the clock is read when the connection has
//! to wait for more, which is when waiting begins; a connection on which a
//! request is being served is never timed out here (its body and its answer have limits of their own); the beginning of
//! an HTTP/2 connection is a head, and after it only requests count, so neither pings nor drops of frames keep it.
//! Why not hyper's header timer: it runs while a connection is idle too, and Falco's connections are idle for minutes.

use super::Limits;
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// What every HTTP/2 connection begins with.
const H2_PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();

/// After a drain began, an idle connection gets this long for a request that is already on its way.
const IDLE_WHEN_DRAINING: Duration = Duration::from_millis(200);

/// What a connection without a request in service is doing: the lowest bit of `Shared::since`.
const IDLE: u64 = 0;
const HEAD: u64 = 1;
/// In place of a time: a change just now.
const UNTIMED: u64 = u64::MAX >> 1;

/// Shared between the I/O and the service of one connection.
#[derive(Clone, Debug)]
pub(super) struct Watch(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    epoch: Instant,
    /// Milliseconds since `epoch` of the last change ([`UNTIMED`] until the connection waits), shifted left by one, and
    /// `IDLE` or `HEAD`.
    since: AtomicU64,
    /// Requests in service.
    active: AtomicU32,
    /// HTTP/2 sends bytes between requests (pings), so they do not begin a request head.
    multiplexed: bool,
    /// Bytes of the HTTP/2 preface that are still to come.
    preface: AtomicU32,
}

/// Marks a request in service until dropped.
pub(super) struct Active(Watch);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.mark(IDLE);
        self.0.0.active.fetch_sub(1, Relaxed);
    }
}

impl Watch {
    pub(super) fn new(multiplexed: bool) -> Self {
        Self(Arc::new(Shared {
            epoch: Instant::now(),
            since: AtomicU64::new(if multiplexed { HEAD } else { IDLE }),
            active: AtomicU32::new(0),
            multiplexed,
            preface: AtomicU32::new(if multiplexed { H2_PREFACE as u32 } else { 0 }),
        }))
    }

    /// A request is being served from now on.
    pub(super) fn serving(&self) -> Active {
        self.0.active.fetch_add(1, Relaxed);
        Active(self.clone())
    }

    fn mark(&self, phase: u64) {
        self.0.since.store(UNTIMED << 1 | phase, Relaxed);
    }

    /// The connection waits from now on, if it did not before. What it does, and since when, in milliseconds.
    fn waits(&self) -> (u64, u64) {
        let mut since = self.0.since.load(Relaxed);
        if since >> 1 == UNTIMED {
            let timed = (self.0.epoch.elapsed().as_millis() as u64) << 1 | since & 1;
            // A change in between is newer; who makes it says when it waits.
            if self.0.since.compare_exchange(since, timed, Relaxed, Relaxed).is_ok() {
                since = timed;
            }
        }
        (since & 1, since >> 1)
    }

    /// Whether so little came that nothing can have been asked for.
    pub(super) fn is_opening(&self) -> bool {
        self.0.preface.load(Relaxed) > 0
    }

    pub(super) fn received(&self, bytes: usize) {
        if self.0.multiplexed {
            let missing = self.0.preface.load(Relaxed);
            if missing > 0 && bytes > 0 {
                let missing = missing.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX));
                self.0.preface.store(missing, Relaxed);
                if missing == 0 {
                    self.mark(IDLE);
                }
            }
        } else if self.0.active.load(Relaxed) == 0 && self.0.since.load(Relaxed) & 1 == IDLE {
            self.mark(HEAD);
        }
    }

    /// Returns with the reason once the connection has been silent or slow for too long. Cancel-safe.
    pub(super) async fn expired(&self, limits: &Limits, draining: bool) -> &'static str {
        let idle = if draining { IDLE_WHEN_DRAINING } else { limits.idle_timeout };
        loop {
            let now = Instant::now();
            let mut next = now + limits.header_timeout.min(idle);
            if self.0.active.load(Relaxed) == 0 {
                // One that is kept from writing does not read either, so nobody else may have said that it waits.
                let (phase, millis) = self.waits();
                let start = if millis == UNTIMED { now } else { self.0.epoch + Duration::from_millis(millis) };
                let (limit, reason) =
                    if phase == HEAD { (limits.header_timeout, "header_timeout") } else { (idle, "idle_timeout") };
                if start + limit <= now {
                    return reason;
                }
                next = next.min(start + limit);
            }
            tokio::time::sleep_until(next).await;
        }
    }
}

/// I/O that tells the watch when bytes came.
pub(super) struct Watched<T> {
    pub(super) io: T,
    pub(super) watch: Watch,
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        match read {
            Poll::Ready(Ok(())) => self.watch.received(buf.filled().len() - before),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => _ = self.watch.waits(),
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}
