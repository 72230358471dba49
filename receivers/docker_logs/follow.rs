//! One container: from its log stream to the pipeline.
//!
//! Promises: whatever was read is delivered before the next connection is made, so the cursor then says exactly
//! what is missing; while the pipeline is busy the read stops behind a bounded buffer and nothing is dropped; a
//! half-read line of a broken connection is not handed out, because it comes again.
//!
//! ```text
//! log stream -> framing -> lines -> replay (known lines out) -> chunks (bounded) -> records -> consume -> cursor
//! ```

use super::{
    cursor::{Cursor, LineKey, Verdict},
    daemon::{Backoff, Daemon},
    engine_api::{ApiError, Inspected},
    framing::{Decoder, Event, Stream},
    lines::{Joiner, Line},
    metrics::{Metrics, Reconnect},
    records::{Mapping, Source},
};
use lanner_engine::prelude::*;
use parking_lot::Mutex;
use std::{
    future::ready,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, sleep, sleep_until},
};

/// Most lines of a batch.
const CHUNK_LINES: usize = 512;
/// Most bytes of a batch, give or take its last line.
const CHUNK_BYTES: usize = 1 << 20;
/// Batches read ahead per container.
const CHUNKS_AHEAD: usize = 2;
/// Bytes read ahead by all containers of a receiver.
const BUFFER_BYTES: usize = 32 << 20;
/// How long one delivery attempt waits for room.
const HOLD: Duration = Duration::from_secs(10);
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
    buffer: Arc<Semaphore>,
}

impl Shared {
    /// Puts together what followers need.
    pub fn new(daemon: Daemon, streams: Vec<Stream>, mapping: Mapping, metrics: Metrics, out: Consumer) -> Self {
        Self { daemon, streams, mapping, metrics, out, buffer: Arc::new(Semaphore::new(BUFFER_BYTES / 1024)) }
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
enum End {
    Eof,
    Drained,
    Failed(Reconnect, ApiError),
}

/// Lines on their way to the pipeline.
struct Chunk {
    lines: Vec<Read>,
    /// The time of the oldest line that was half read when this chunk was closed.
    hold: Option<u64>,
    _room: OwnedSemaphorePermit,
}

/// A line and what makes it unique.
struct Read {
    line: Line,
    key: LineKey,
    ordinal: u64,
}

impl Follower {
    /// Reads and delivers until the container ends or Lanner does.
    pub async fn follow(self, drain: Drain) -> Ended {
        let mut backoff = Backoff::default();
        loop {
            let before = match self.inspect().await {
                _ if drain.is_requested() => return Ended::Drained,
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
                End::Eof => match self.inspect().await {
                    Err(ApiError::Gone) => return Ended::Gone,
                    Ok(after) if after.started_at != before.started_at => {
                        // Restarted meanwhile: the same log goes on.
                        backoff.reset();
                        continue;
                    }
                    Ok(after) if !after.running => return Ended::Exited { started_at: after.started_at },
                    _ => self.shared.metrics.reconnect(Reconnect::Ended),
                },
            }
            if self.cursor.lock().watermark() != watermark || started.elapsed() >= GOOD_AFTER {
                backoff.reset();
            }
            backoff.wait(&drain).await;
        }
    }

    async fn inspect(&self) -> Result<Inspected, ApiError> {
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

    async fn read(&self, container: &Inspected, chunks: mpsc::Sender<Chunk>, drain: &Drain) -> End {
        let Shared { daemon, streams, metrics, .. } = &*self.shared;
        let since = self.cursor.lock().resume_from();
        let opened = match daemon.engine().await {
            Ok(engine) => engine.logs(&self.id, streams, since).await,
            Err(error) => Err(error),
        };
        let mut body = match opened {
            Ok(body) => body,
            Err(error) => return End::Failed(Reconnect::Refused, error),
        };
        let _open = OpenStream::new(metrics);
        let mut decoder = Decoder::new(container.tty);
        let mut events = Vec::new();
        let mut intake = ReadSide {
            joiner: Joiner::new(container.tty, &container.log_driver),
            replay: self.cursor.lock().replay(),
            metrics,
            lines: Vec::new(),
            bytes: 0,
            buffer: &self.shared.buffer,
            chunks,
        };
        loop {
            let idle = intake.joiner.idle_at();
            tokio::select! {
                biased;
                () = drain.requested() => {
                    decoder.finish(|event| events.push(event));
                    let _ = intake.take(&mut events).await;
                    intake.flush(None);
                    let _ = intake.send().await;
                    return End::Drained;
                }
                bytes = body.next() => match bytes {
                    Ok(Some(bytes)) => {
                        let damage = decoder.push(&bytes, |event| events.push(event));
                        if intake.take(&mut events).await.is_err() {
                            return End::Drained;
                        }
                        if let Err(damage) = damage {
                            let _ = intake.send().await;
                            return End::Failed(Reconnect::Damaged, ApiError::Failed(damage.into()));
                        }
                    }
                    Ok(None) => {
                        decoder.finish(|event| events.push(event));
                        let _ = intake.take(&mut events).await;
                        // A line of a container that still runs goes on after the reconnect.
                        if intake.joiner.oldest_open().is_some()
                            && self.inspect().await.is_ok_and(|container| !container.running)
                        {
                            intake.flush(None);
                        }
                        let _ = intake.send().await;
                        return End::Eof;
                    }
                    Err(error) => {
                        let _ = intake.send().await;
                        return End::Failed(Reconnect::Broken, ApiError::Failed(error));
                    }
                },
                // Nothing more is there right now, so what was read goes on its way.
                () = ready(()), if !intake.lines.is_empty() => {
                    if intake.send().await.is_err() {
                        return End::Drained;
                    }
                }
                () = sleep_until(idle.unwrap_or_else(Instant::now)), if idle.is_some() => {
                    intake.flush(Some(Instant::now()));
                }
            }
        }
    }

    /// Delivers chunks in order until there are no more. Ends early when the pipeline is stopping.
    async fn deliver(&self, source: Source, mut queue: mpsc::Receiver<Chunk>) {
        let Shared { mapping, metrics, out, .. } = &*self.shared;
        while let Some(chunk) = queue.recv().await {
            let mut logs = Logs::default();
            let mut skipped = 0;
            for Read { line, ordinal, .. } in &chunk.lines {
                skipped += u64::from(!mapping.map(&source, line, *ordinal, &mut logs));
            }
            let records = logs.len() as u64;
            if records > 0 && settle(out, Batch::logs(logs)).await == Settled::Stopped {
                let unread = |chunk: &Chunk| chunk.lines.len() as u64;
                queue.close();
                let mut lost = unread(&chunk);
                while let Some(chunk) = queue.recv().await {
                    lost += unread(&chunk);
                }
                out.failed(lost, "stopped");
                return;
            }
            if skipped > 0 {
                metrics.skipped.add(skipped);
                out.failed(skipped, "not_an_alert");
            }
            let newest = chunk.lines.last().map_or(0, |read| read.key.time);
            let keys = chunk.lines.iter().map(|read| read.key);
            let forgotten = self.cursor.lock().accept(keys, chunk.hold);
            metrics.cursor_evictions.add(forgotten as u64);
            metrics.lag.set(age_millis(newest));
        }
    }
}

/// What became of a batch.
#[derive(PartialEq, Eq)]
enum Settled {
    Accepted,
    Stopped,
}

/// Hands a batch over, however long the pipeline is busy.
async fn settle(out: &Consumer, batch: Batch) -> Settled {
    loop {
        match out.consume_within(batch.clone(), HOLD).await {
            Ok(()) => return Settled::Accepted,
            Err(Refused::Busy { retry_after, .. }) => {
                sleep(retry_after.clamp(Duration::from_millis(10), HOLD)).await;
            }
            Err(Refused::Draining) => return Settled::Stopped,
            Err(Refused::Invalid(reason)) => {
                // The engine counted it as refused; trying again would stop this container for good.
                tracing::warn!(reason, "a batch of container lines was refused for good");
                return Settled::Accepted;
            }
        }
    }
}

/// The reading half: lines that are not sent yet.
struct ReadSide<'a> {
    joiner: Joiner,
    replay: super::cursor::Replay,
    metrics: &'a Metrics,
    lines: Vec<Read>,
    bytes: usize,
    buffer: &'a Arc<Semaphore>,
    chunks: mpsc::Sender<Chunk>,
}

/// Nobody takes chunks any more.
struct Closed;

impl ReadSide<'_> {
    /// Takes decoded events, sending whenever a chunk is full.
    async fn take(&mut self, events: &mut Vec<Event>) -> Result<(), Closed> {
        let now = Instant::now();
        for event in events.drain(..) {
            match event {
                Event::Part(part) => {
                    let Self { joiner, replay, metrics, lines, bytes, .. } = self;
                    joiner.push(part, now, |line| *bytes += note(replay, metrics, lines, line));
                }
                Event::DaemonError(text) => {
                    self.metrics.daemon_errors.add(1);
                    tracing::warn!(text, "the Docker daemon reports an error in a log stream");
                }
            }
            if self.lines.len() >= CHUNK_LINES || self.bytes >= CHUNK_BYTES {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Hands out unfinished lines: those idle at `now`, or all of them.
    fn flush(&mut self, now: Option<Instant>) {
        let Self { joiner, replay, metrics, lines, bytes, .. } = self;
        let emit = |line| *bytes += note(replay, metrics, lines, line);
        match now {
            Some(now) => joiner.flush_idle(now, emit),
            None => joiner.flush_all(emit),
        }
    }

    /// Sends what is there, waiting for room.
    async fn send(&mut self) -> Result<(), Closed> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let kib = (self.bytes / 1024 + 1).min(BUFFER_BYTES / 1024) as u32;
        let room = Arc::clone(self.buffer).acquire_many_owned(kib).await.map_err(|_| Closed)?;
        let lines = std::mem::take(&mut self.lines);
        self.bytes = 0;
        let chunk = Chunk { lines, hold: self.joiner.oldest_open(), _room: room };
        self.chunks.send(chunk).await.map_err(|_| Closed)
    }
}

/// Adds a line unless it came before; returns its size.
fn note(replay: &mut super::cursor::Replay, metrics: &Metrics, lines: &mut Vec<Read>, line: Line) -> usize {
    let key = LineKey::of(&line);
    let Verdict::New { ordinal } = replay.judge(key) else {
        metrics.duplicates.add(1);
        return 0;
    };
    if replay.shows_gap() {
        metrics.possible_rotation_loss.add(1);
        tracing::warn!("lines known before were gone on resume; the log may have been rotated unread");
    }
    let size = line.content.len();
    metrics.line(line.stream, size);
    metrics.joined.add(u64::from(line.parts > 1));
    metrics.incomplete.add(u64::from(line.incomplete));
    metrics.cut.add(u64::from(line.cut));
    lines.push(Read { line, key, ordinal });
    size
}

/// Counts a stream as open until it is dropped.
struct OpenStream<'a>(&'a Metrics);

impl<'a> OpenStream<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.streams.add(1);
        Self(metrics)
    }
}

impl Drop for OpenStream<'_> {
    fn drop(&mut self) {
        self.0.streams.add(-1);
    }
}

fn age_millis(time: u64) -> i64 {
    let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(time);
    SystemTime::now().duration_since(time).map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}
