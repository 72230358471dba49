//! One container: from its log stream to the pipeline.
//!
//! Promises: whatever was read is delivered before the next connection is made, so the cursor then says exactly
//! what is missing; the log of a container that has ended is opened once more, because the daemon may cut short what it
//! follows; while the pipeline is busy the read stops behind a bounded buffer and nothing is dropped; a half-read line
//! of a broken connection is not handed out, because it comes again.
//!
//! ```text
//! log stream -> framing -> lines -> replay (known lines out) -> chunks (bounded) -> records -> consume -> cursor
//! ```

use super::{
    cursor::Cursor,
    daemon::{Backoff, Daemon},
    engine_api::{ApiError, Inspected},
    metrics::{Metrics, Reconnect},
    read::{BUFFER_BYTES, CHUNKS_AHEAD},
    records::Mapping,
};
use crate::container::Stream;
use lanner_engine::prelude::*;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, mpsc},
    time::Instant,
};

/// A connection that lasted this long was a good one.
const GOOD_AFTER: Duration = Duration::from_secs(15);

/// What all followers of a receiver share.
pub struct Shared {
    pub daemon: Daemon,
    pub streams: Vec<Stream>,
    pub mapping: Mapping,
    pub metrics: Metrics,
    pub out: Consumer,
    /// In units of 1 KiB.
    pub buffer: Arc<Semaphore>,
    /// Whether the next process goes on where this one ends.
    pub resumes: bool,
}

impl Shared {
    /// Puts together what followers need.
    pub fn new(
        daemon: Daemon,
        streams: Vec<Stream>,
        mapping: Mapping,
        metrics: Metrics,
        out: Consumer,
        resumes: bool,
    ) -> Self {
        let buffer = Arc::new(Semaphore::new(BUFFER_BYTES / 1024));
        Self { daemon, streams, mapping, metrics, out, buffer, resumes }
    }
}

/// Why following ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The container ran until the end of its log was read; this is when it had started.
    Exited { started_at: String },
    /// The container is removed.
    Gone,
    /// Its logging driver keeps nothing.
    Unreadable { driver: String },
    /// Lanner is stopping.
    Drained,
}

/// Follows one container.
pub struct Follower {
    pub shared: Arc<Shared>,
    /// The container.
    pub id: String,
    pub cursor: Arc<Mutex<Cursor>>,
}

/// How one connection ended.
pub enum End {
    /// The log ended; what the daemon says about the container since then.
    Eof(Result<Inspected, ApiError>),
    Drained,
    Failed(Reconnect, ApiError),
}

impl Follower {
    /// Reads and delivers until the container ends or Lanner does.
    pub async fn follow(self, drain: Drain) -> Ended {
        let mut backoff = Backoff::default();
        loop {
            let inspected = tokio::select! {
                () = drain.requested() => return Ended::Drained,
                inspected = self.inspect() => inspected,
            };
            let before = match inspected {
                Err(ApiError::Gone) => return Ended::Gone,
                Err(_) => {
                    self.shared.metrics.reconnect(Reconnect::Refused);
                    backoff.wait(&drain).await;
                    continue;
                }
                Ok(before) => before,
            };
            let started = Instant::now();
            let watermark = self.cursor.lock().watermark();
            match self.connection(&before, &drain).await {
                End::Drained => return Ended::Drained,
                End::Failed(_, ApiError::Gone) => return Ended::Gone,
                End::Failed(_, ApiError::Unreadable) => return Ended::Unreadable { driver: before.log_driver },
                End::Failed(why, error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::info!(container = before.candidate.name, error, "log stream lost; reconnecting");
                    self.shared.metrics.reconnect(why);
                }
                End::Eof(_) if !before.running => return Ended::Exited { started_at: before.started_at },
                End::Eof(after) => match after {
                    Err(ApiError::Gone) => return Ended::Gone,
                    Ok(after) if !after.running || after.started_at != before.started_at => {
                        // Ended or restarted meanwhile. The daemon may close a log that it follows before it has
                        // handed out the last lines, so only a log that was opened after the end is complete.
                        backoff.reset();
                        continue;
                    }
                    _ => self.shared.metrics.reconnect(Reconnect::Ended),
                },
            }
            if self.cursor.lock().watermark() != watermark || started.elapsed() >= GOOD_AFTER {
                backoff.reset();
            }
            backoff.wait(&drain).await;
        }
    }

    /// Asks the daemon about the container.
    pub(super) async fn inspect(&self) -> Result<Inspected, ApiError> {
        let inspected = self.shared.daemon.engine().await?.inspect(&self.id).await;
        if let Err(ApiError::Failed(_)) = &inspected {
            self.shared.daemon.lost();
        }
        inspected
    }

    /// One connection, until it ended and everything read from it was delivered.
    async fn connection(&self, container: &Inspected, drain: &Drain) -> End {
        let (chunks, queue) = mpsc::channel(CHUNKS_AHEAD);
        let source = self.shared.mapping.source(&container.candidate);
        let (end, ()) = tokio::join!(self.read(container, chunks, drain), self.deliver(source, queue));
        end
    }
}
