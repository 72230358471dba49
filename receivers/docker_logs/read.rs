//! The reading half of a follower: a log stream becomes chunks of new lines.
//!
//! Promises: reads ahead at most [`CHUNKS_AHEAD`] chunks per container and [`BUFFER_BYTES`] of all containers; a chunk is
//! sent as soon as nothing more is there to read; a half-read line of a broken connection is not handed out.

use super::{
    cursor::{LineKey, Replay, Verdict},
    engine_api::{ApiError, Body, Inspected},
    follow::{End, Follower, Shared},
    framing::{Decoder, Event},
    metrics::{Metrics, Reconnect},
};
use crate::container::{Joiner, Line};
use lanner_engine::prelude::*;
use std::{future::ready, sync::Arc};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, sleep_until},
};

/// Most lines of a batch.
const CHUNK_LINES: usize = 512;
/// Most bytes of a batch, give or take its last line.
const CHUNK_BYTES: usize = 1 << 20;
/// Batches read ahead per container.
pub const CHUNKS_AHEAD: usize = 2;
/// Bytes read ahead by all containers of a receiver.
pub const BUFFER_BYTES: usize = 32 << 20;

/// Lines on their way to the pipeline.
pub struct Chunk {
    pub lines: Vec<Read>,
    /// The time of the oldest line that was half read when this chunk was closed.
    pub hold: Option<u64>,
    _room: OwnedSemaphorePermit,
}

/// A line and what makes it unique.
pub struct Read {
    pub line: Line,
    pub key: LineKey,
    pub ordinal: u64,
}

impl Follower {
    /// Reads one connection to its end.
    pub(super) async fn read(&self, container: &Inspected, chunks: mpsc::Sender<Chunk>, drain: &Drain) -> End {
        let Shared { daemon, streams, metrics, out, .. } = &*self.shared;
        let since = self.cursor.lock().resume_from();
        let open = async { daemon.engine().await?.logs(&self.id, streams, since).await };
        let mut body: Body = tokio::select! {
            () = drain.requested() => return End::Drained,
            opened = open => match opened {
                Ok(body) => body,
                Err(error) => return End::Failed(Reconnect::Refused, error),
            },
        };
        let _open = OpenStream::new(metrics);
        let mut decoder = Decoder::new(container.tty);
        let mut events = Vec::new();
        let mut intake = ReadSide {
            joiner: Joiner::new(container.tty, &container.log_driver),
            replay: self.cursor.lock().replay(),
            metrics,
            out,
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
                    // With a storage the next start reads the line again, whole.
                    if !self.shared.resumes {
                        decoder.finish(|event| events.push(event));
                        let _ = intake.take(&mut events).await;
                        intake.flush(None);
                    }
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
                        let after = self.inspect().await;
                        // Otherwise the line may go on, and comes again with the next connection.
                        if !container.running || matches!(after, Err(ApiError::Gone)) {
                            intake.flush(None);
                        }
                        let _ = intake.send().await;
                        return End::Eof(after);
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
}

/// The reading half: lines that are not sent yet.
struct ReadSide<'a> {
    joiner: Joiner,
    replay: Replay,
    metrics: &'a Metrics,
    out: &'a Consumer,
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
        let mut now = Instant::now();
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
                now = Instant::now();
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
        let began = Instant::now();
        let kib = (self.bytes / 1024 + 1).min(BUFFER_BYTES / 1024) as u32;
        let room = Arc::clone(self.buffer).acquire_many_owned(kib).await.map_err(|_| Closed)?;
        let lines = std::mem::take(&mut self.lines);
        self.bytes = 0;
        let chunk = Chunk { lines, hold: self.joiner.oldest_open(), _room: room };
        let sent = self.chunks.send(chunk).await;
        self.joiner.stalled(began.elapsed());
        sent.map_err(|unsent| {
            self.out.failed(unsent.0.lines.len() as u64, "stopped");
            Closed
        })
    }
}

/// Adds a line unless it came before; returns its size.
fn note(replay: &mut Replay, metrics: &Metrics, lines: &mut Vec<Read>, line: Line) -> usize {
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
