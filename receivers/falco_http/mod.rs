//! `falco_http` takes Falco's `http_output`; a drop-in for falcosidekick's input.
//!
//! Promises
//! - 200 means that every queue behind the receiver has the alert. Falco ignores statuses and never sends again, so
//!   while the pipeline is full the answer is held back instead, for at most `hold` in all; then 503, counted as lost.
//! - Every body that was read is kept: what is no alert becomes a plain log record. 400 is answered only when
//!   nothing of the body was usable, and even then the record is there.
//! - Whatever is not kept (too large, broken off, empty, refused) is counted with its reason.
//! - No answer is a 5xx, except 503 while full or stopping.
//! - An alert whose body arrived is kept even if the sender hung up in the meantime.
//!
//! Way of a request: head -> room in the memory budget -> body -> records -> `consume` -> answer, all on the task of
//! the connection; a hop to another task costs more than parsing an alert.

mod answer;
mod config;
#[cfg(test)]
mod tests;

use crate::{
    counters::ByReason,
    requests::{Answer, HELD, Losses, Lost},
};
use config::{Config, Plan};
use http::{Method, Request};
use hyper::body::{Body, Incoming};
use lanner_engine::{
    component::Admission,
    net::{BodyError, BodyLimits, HttpServer, ReadBody, first_room, read_body},
    prelude::*,
    semantics::{FalcoMapper, MappingOptions, Summary, falco, keys},
};
use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// Kept free of `hold`, so that the answer is out in time.
const SAFETY: Duration = Duration::from_millis(50);
/// How often room in the memory budget is asked for again while a request is held.
const ROOM_POLL: Duration = Duration::from_millis(20);
/// Larger bodies are mapped beside the connection tasks, which share few threads.
const MAP_INLINE: usize = 256 << 10;
/// What senders are told to wait when nothing is known.
const RETRY: Duration = Duration::from_secs(1);
/// What senders are told to wait while stopping: about a restart.
const RESTART: Duration = Duration::from_secs(5);

/// The component type.
pub struct FalcoHttp;

impl Component for FalcoHttp {
    const TYPE: &'static str = "falco_http";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

/// A bound listener with everything a request needs.
struct HttpReceiver {
    server: HttpServer,
    shared: Arc<Shared>,
}

struct Shared {
    body: BodyLimits,
    /// Longest time to an answer while the pipeline is full; zero to refuse at once.
    hold: Duration,
    mapper: Arc<FalcoMapper>,
    scope: Arc<Scope>,
    degraded: ByReason,
    unusable: ByReason,
    losses: Losses,
}

impl HttpReceiver {
    fn new(server: HttpServer, body: BodyLimits, hold: Duration, mapping: &MappingOptions, cx: &BuildCx) -> Self {
        let shared = Shared {
            body,
            hold: hold.saturating_sub(SAFETY),
            mapper: Arc::new(FalcoMapper::new(mapping)),
            scope: falco::scope("lanner.receiver.falco"),
            degraded: ByReason::degraded(cx),
            unusable: ByReason::unusable(cx),
            losses: Losses::new(cx),
        };
        Self { server, shared: Arc::new(shared) }
    }
}

#[async_trait]
impl Receiver for HttpReceiver {
    async fn run(self: Box<Self>, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        let Self { server, shared } = *self;
        let stopping = drain.clone();
        let service = move |request| {
            let (shared, out, stopping) = (Arc::clone(&shared), out.clone(), stopping.is_requested());
            async move { shared.answer(request, &out, stopping).await }
        };
        server.serve(service, drain).await;
        Ok(())
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>, out: &Consumer, stopping: bool) -> Answer {
        match (request.method(), request.uri().path()) {
            (_, "/ping") => answer::pong(),
            (_, "/healthz") => answer::healthy(),
            (&Method::POST, "/test") => self.losses.count(out, self.inject(out)).await,
            (&Method::POST, _) => self.losses.count(out, self.receive(request, out, stopping)).await,
            _ => answer::not_post(),
        }
    }

    async fn receive(&self, request: Request<Incoming>, out: &Consumer, stopping: bool) -> Result<Answer, Lost> {
        if stopping {
            return Err(Lost::unseen("draining", answer::unavailable(RESTART)));
        }
        let start = Instant::now();
        let (head, body) = request.into_parts();
        let mut room = Some(self.room(&body, out, start).await?);
        let admit = |bytes| room.take().map_or_else(|| out.admit(bytes), Ok);
        let body = read_body(&head.headers, body, &self.body, admit).await.map_err(lost_body)?;
        let ReadBody { bytes, .. } = &body;
        let text: Arc<str> = match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => {
                self.degraded.add("invalid_utf8", 1);
                String::from_utf8_lossy(bytes).into()
            }
        };
        let (logs, summary) = self.map(text).await;
        if logs.is_empty() {
            return Err(Lost::unseen("empty_body", answer::invalid_body()));
        }
        self.hand_over(logs, out, self.hold.saturating_sub(start.elapsed())).await?;
        drop(body);
        self.count(&summary);
        Ok(if summary.alerts + summary.internal > 0 { answer::accepted() } else { answer::invalid_body() })
    }

    /// Room for the body that is announced. While the memory budget is used up, asks again until the hold is over.
    async fn room(&self, body: &Incoming, out: &Consumer, start: Instant) -> Result<Admission, Lost> {
        let bytes = first_room(body.size_hint().exact(), &self.body).map_err(lost_body)?;
        loop {
            match out.admit(bytes) {
                Ok(room) => return Ok(room),
                Err(Refused::Busy { .. }) if start.elapsed() < self.hold => tokio::time::sleep(ROOM_POLL).await,
                Err(refused) => return Err(lost_batch(refused).before_the_engine()),
            }
        }
    }

    async fn map(&self, text: Arc<str>) -> (Logs, Summary) {
        let observed = now();
        if text.len() > MAP_INLINE {
            let (mapper, scope, text) = (Arc::clone(&self.mapper), Arc::clone(&self.scope), Arc::clone(&text));
            let mapped = tokio::task::spawn_blocking(move || {
                let mut logs = Logs::default();
                let summary = mapper.map_body(&text, observed, &scope, &mut logs);
                (logs, summary)
            });
            if let Ok(mapped) = mapped.await {
                return mapped;
            }
        }
        let mut logs = Logs::default();
        let summary = self.mapper.map_body(&text, observed, &self.scope, &mut logs);
        (logs, summary)
    }

    /// Waits for the pipeline. An exporter without a queue, or one that blocks on overflow, may take longer than `wait`;
    /// the sender is answered in time all the same. Such a batch is counted as lost, though a sink may have it.
    async fn hand_over(&self, logs: Logs, out: &Consumer, wait: Duration) -> Result<(), Lost> {
        let taken = out.consume_within(Batch::logs(logs), wait);
        if self.hold.is_zero() {
            return taken.await.map_err(lost_batch);
        }
        let mut taken = pin!(taken);
        // Mostly there is room, and no timer is needed.
        let result = match poll_fn(|cx| Poll::Ready(taken.as_mut().poll(cx))).await {
            Poll::Ready(result) => Ok(result),
            Poll::Pending => tokio::time::timeout(wait + SAFETY / 2, taken).await,
        };
        match result {
            Ok(result) => result.map_err(lost_batch),
            Err(_) => Err(Lost::unseen(HELD, answer::unavailable(RETRY))),
        }
    }

    /// Sends falcosidekick's test event down the pipeline.
    async fn inject(&self, out: &Consumer) -> Result<Answer, Lost> {
        let (mut logs, summary) = self.map(test_event().into()).await;
        for record in logs.records_mut() {
            record.attrs.set(keys::SYNTHETIC.clone(), true);
        }
        self.hand_over(logs, out, self.hold).await?;
        self.count(&summary);
        Ok(answer::accepted())
    }

    fn count(&self, summary: &Summary) {
        for (reason, count) in summary.degraded.iter() {
            self.degraded.add(reason, count);
        }
        for (reason, count) in summary.plain.iter() {
            self.unusable.add(reason, count);
        }
    }
}

fn lost_body(error: BodyError) -> Lost {
    match error {
        BodyError::Refused(refused) => lost_batch(refused).before_the_engine(),
        error => Lost::unseen(error.reason(), answer::refused(error.status(), &error)),
    }
}

fn lost_batch(refused: Refused) -> Lost {
    let (reason, answer) = match refused {
        Refused::Busy { retry_after, .. } => (HELD, answer::unavailable(retry_after)),
        Refused::Draining => ("draining", answer::unavailable(RESTART)),
        Refused::Invalid(_) => ("invalid", answer::invalid_body()),
    };
    Lost::refused(reason, answer)
}

/// Nanoseconds since 1970; 0 when the clock stands before it.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// falcosidekick's test event, with `debug` left as its source: under `internal` it would be no alert, and the
/// test would stop at the first component that looks for alerts.
fn test_event() -> String {
    let time = jiff::Timestamp::now();
    format!(
        r#"{{"output":"This is a test from lanner","priority":"Debug","rule":"Test rule","time":"{time}","source":"debug","hostname":"lanner","tags":["test","example"],"output_fields":{{"proc.name":"lanner","user.name":"lanner"}}}}"#
    )
}
