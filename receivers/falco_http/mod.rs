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
use futures_util::future::poll_immediate;
use http::{Method, Request, request::Parts};
use hyper::body::{Body, Incoming};
use lanner_engine::{
    component::Admission,
    event::{KeySet, otlp::EncodedScope},
    net::{BodyError, BodyLimits, HttpServer, ReadBody, first_room, read_body},
    prelude::*,
    semantics::{FalcoMapper, MappingOptions, Summary, falco, keys},
};
use std::{
    pin::{Pin, pin},
    sync::Arc,
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
    encoded_scope: EncodedScope,
    degraded: ByReason,
    unusable: ByReason,
    losses: Losses,
}

impl HttpReceiver {
    fn new(server: HttpServer, body: BodyLimits, hold: Duration, mapping: &MappingOptions, cx: &BuildCx) -> Self {
        let scope = falco::scope("lanner.receiver.falco");
        let shared = Shared {
            body,
            hold: hold.saturating_sub(SAFETY),
            mapper: Arc::new(FalcoMapper::new(mapping)),
            encoded_scope: EncodedScope::of(&scope),
            scope,
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
        let entrance = PerConnection(Arc::new((shared, out, stopping)));
        // Taken apart out here and lent further in: every function that is given a request makes the future larger by it.
        let service = move |request: Request<Incoming>| {
            let (entrance, (head, mut body)) = (entrance.of_request(), request.into_parts());
            async move {
                let (shared, out, stopping) = &*entrance;
                shared.answer(&head, &mut body, out, stopping.is_requested()).await
            }
        };
        server.serve(service, drain).await;
        Ok(())
    }
}

impl Shared {
    async fn answer(&self, head: &Parts, body: &mut Incoming, out: &Consumer, stopping: bool) -> Answer {
        match (&head.method, head.uri.path()) {
            (_, "/ping") => answer::pong(),
            (_, "/healthz") => answer::healthy(),
            (&Method::POST, path) => {
                let open = self.losses.begin(out);
                let result = match path {
                    "/test" => Box::pin(self.inject(out)).await,
                    _ => self.receive(head, body, out, stopping).await,
                };
                open.end(result)
            }
            _ => answer::not_post(),
        }
    }

    async fn receive(&self, head: &Parts, body: &mut Incoming, out: &Consumer, stopping: bool) -> Result<Answer, Lost> {
        if stopping {
            return Err(Lost::unseen("draining", answer::unavailable(RESTART)));
        }
        let mut waiting = Waiting::default();
        let mut room = Some(self.room(body, out, &mut waiting).await?);
        let admit = |bytes| room.take().map_or_else(|| out.admit(bytes), Ok);
        let reading = pin!(read_body(&head.headers, body, &self.body, admit));
        let body = waiting.during(reading).await.map_err(lost_body)?;
        let ReadBody { bytes, .. } = &body;
        let (batch, summary) = self.map(bytes, out).await;
        if batch.is_empty() {
            return Err(Lost::unseen("empty_body", answer::invalid_body()));
        }
        self.hand_over(batch, out, self.hold.saturating_sub(waiting.elapsed())).await?;
        drop(body);
        self.count(&summary);
        Ok(if summary.alerts + summary.internal > 0 { answer::accepted() } else { answer::invalid_body() })
    }

    /// Room for the body that is announced. While the memory budget is used up, asks again until the hold is over.
    async fn room(&self, body: &Incoming, out: &Consumer, waiting: &mut Waiting) -> Result<Admission, Lost> {
        let bytes = first_room(body.size_hint().exact(), &self.body).map_err(lost_body)?;
        loop {
            match out.admit(bytes) {
                Ok(room) => return Ok(room),
                Err(Refused::Busy { .. }) if waiting.elapsed() < self.hold => {
                    waiting.during(pin!(tokio::time::sleep(ROOM_POLL))).await
                }
                Err(refused) => return Err(lost_batch(refused).before_the_engine()),
            }
        }
    }

    /// What a body says: its records, or where nobody looks at them and it is a single alert, the request made of it.
    async fn map(&self, body: &[u8], out: &Consumer) -> (Batch, Summary) {
        let text = std::str::from_utf8(body);
        if let Ok(text) = text
            && !out.reads_records()
            && text.len() <= MAP_INLINE
            && let Some((request, summary)) = self.mapper.encode_body(text, now(), &self.encoded_scope)
        {
            return (Batch::otlp(request), summary);
        }
        let text: Arc<str> = match text {
            Ok(text) => text.into(),
            Err(_) => {
                self.degraded.add("invalid_utf8", 1);
                String::from_utf8_lossy(body).into()
            }
        };
        let wanted = out.reads_only();
        let beside = if text.len() > MAP_INLINE { Box::pin(self.beside(&text, wanted.cloned())).await } else { None };
        let (logs, summary) = beside.unwrap_or_else(|| self.records(&text, wanted.map(|wanted| &**wanted)));
        (Batch::logs(logs), summary)
    }

    /// The records of a text, with the wanted attributes or all.
    fn records(&self, text: &Arc<str>, wanted: Option<&KeySet>) -> (Logs, Summary) {
        mapped(&self.mapper, text, now(), &self.scope, wanted)
    }

    /// The same beside the connection tasks; `None` when the runtime ends.
    async fn beside(&self, text: &Arc<str>, wanted: Option<Arc<KeySet>>) -> Option<(Logs, Summary)> {
        let (mapper, scope, text) = (Arc::clone(&self.mapper), Arc::clone(&self.scope), Arc::clone(text));
        let mapped = move || mapped(&mapper, &text, now(), &scope, wanted.as_deref());
        tokio::task::spawn_blocking(mapped).await.ok()
    }

    /// Waits for the pipeline. An exporter without a queue, or one that blocks on overflow, may take longer than `wait`;
    /// the sender is answered in time all the same. Such a batch is counted as lost, though a sink may have it.
    async fn hand_over(&self, batch: Batch, out: &Consumer, wait: Duration) -> Result<(), Lost> {
        let taken = out.consume_within(batch, wait);
        if self.hold.is_zero() {
            return taken.await.map_err(lost_batch);
        }
        let mut taken = pin!(taken);
        // Mostly there is room, and no timer is needed.
        let result = match poll_immediate(taken.as_mut()).await {
            Some(result) => Ok(result),
            None => tokio::time::timeout(wait + SAFETY / 2, taken).await,
        };
        match result {
            Ok(result) => result.map_err(lost_batch),
            Err(_) => Err(Lost::unseen(HELD, answer::unavailable(RETRY))),
        }
    }

    /// Sends falcosidekick's test event down the pipeline.
    async fn inject(&self, out: &Consumer) -> Result<Answer, Lost> {
        let (mut logs, summary) = self.records(&test_event().into(), None);
        for record in logs.records_mut() {
            record.attrs.set(keys::SYNTHETIC.clone(), true);
        }
        self.hand_over(Batch::logs(logs), out, self.hold).await?;
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

/// What the requests of one connection share. A clone is for another connection: it has a reference count of its own, so that
/// threads that serve different connections do not wait for each other's cache line.
struct PerConnection<T>(Arc<T>);

impl<T> PerConnection<T> {
    fn of_request(&self) -> Arc<T> {
        Arc::clone(&self.0)
    }
}

impl<T: Clone> Clone for PerConnection<T> {
    fn clone(&self) -> Self {
        Self(Arc::new(T::clone(&self.0)))
    }
}

/// How long a request has waited. Most need not wait at all, and read no clock.
#[derive(Default)]
struct Waiting(Option<Instant>);

impl Waiting {
    async fn during<T>(&mut self, mut future: Pin<&mut impl Future<Output = T>>) -> T {
        match poll_immediate(future.as_mut()).await {
            Some(ready) => ready,
            None => {
                self.0.get_or_insert_with(Instant::now);
                future.await
            }
        }
    }

    /// Since it had to wait for the first time.
    fn elapsed(&self) -> Duration {
        self.0.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// The records of a body, with the wanted attributes or all.
fn mapped(
    mapper: &FalcoMapper,
    text: &Arc<str>,
    observed: u64,
    scope: &Arc<Scope>,
    wanted: Option<&KeySet>,
) -> (Logs, Summary) {
    let mut logs = Logs::default();
    let summary = match wanted {
        Some(wanted) => mapper.map_body_for(wanted, text, observed, scope, &mut logs),
        None => mapper.map_body(text, observed, scope, &mut logs),
    };
    (logs, summary)
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
