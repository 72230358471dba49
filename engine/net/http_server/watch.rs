//! `Watch`: how long a connection has been idle, or busy sending a request head.
//!
//! Promises: one clock reading per change and no timer operation on the path of a request; a connection on which a
//! request is being served is never timed out here (its body and its answer have limits of their own).
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
use tokio::time::Instant;

/// After a drain began, an idle connection gets this long for a request that is already on its way.
const IDLE_WHEN_DRAINING: Duration = Duration::from_millis(200);

/// What a connection without a request in service is doing: the lowest bit of `Shared::since`.
const IDLE: u64 = 0;
const HEAD: u64 = 1;

/// Shared between the I/O and the service of one connection.
#[derive(Clone, Debug)]
pub(super) struct Watch(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    epoch: Instant,
    /// Milliseconds since `epoch` of the last change, shifted left by one, and `IDLE` or `HEAD`.
    since: AtomicU64,
    /// Requests in service.
    active: AtomicU32,
    /// HTTP/2 sends bytes between requests (pings), so they do not begin a request head.
    multiplexed: bool,
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
            since: AtomicU64::new(IDLE),
            active: AtomicU32::new(0),
            multiplexed,
        }))
    }

    /// A request is being served from now on.
    pub(super) fn serving(&self) -> Active {
        self.0.active.fetch_add(1, Relaxed);
        Active(self.clone())
    }

    fn mark(&self, phase: u64) {
        self.0.since.store((self.0.epoch.elapsed().as_millis() as u64) << 1 | phase, Relaxed);
    }

    fn received(&self) {
        let begins_head = !self.0.multiplexed && self.0.since.load(Relaxed) & 1 == IDLE;
        if self.0.active.load(Relaxed) == 0 && (begins_head || self.0.multiplexed) {
            self.mark(if self.0.multiplexed { IDLE } else { HEAD });
        }
    }

    /// Returns with the reason once the connection has been silent or slow for too long. Cancel-safe.
    pub(super) async fn expired(&self, limits: &Limits, draining: bool) -> &'static str {
        let idle = if draining { IDLE_WHEN_DRAINING } else { limits.idle_timeout };
        loop {
            let now = Instant::now();
            let mut next = now + limits.header_timeout.min(idle);
            if self.0.active.load(Relaxed) == 0 {
                let since = self.0.since.load(Relaxed);
                let start = self.0.epoch + Duration::from_millis(since >> 1);
                let (limit, reason) =
                    if since & 1 == HEAD { (limits.header_timeout, "header_timeout") } else { (idle, "idle_timeout") };
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

impl<T: hyper::rt::Read + Unpin> hyper::rt::Read for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if matches!(read, Poll::Ready(Ok(()))) {
            self.watch.received();
        }
        read
    }
}

impl<T: hyper::rt::Write + Unpin> hyper::rt::Write for Watched<T> {
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
