//! `nats` publishes records to NATS JetStream and waits for the acknowledgement of every message.
//!
//! Flow: `subject` names where a record goes, `message` puts records into messages, `stream` looks after the stream; the
//! connection and JetStream's protocol are the crate `lanner-nats`.
//!
//! Promises
//! - A record is delivered when a stream has acknowledged its message (PubAck); "I have it already" counts, so a repetition after
//!   an answer that got lost stores nothing twice within the stream's window.
//! - Every record of a request is settled once (`Request::progress`): after a retry only those are sent again that are not known
//!   to be stored.
//! - A message that is too large is halved until the large record stands alone, so that it takes no neighbour along.
//! - At most `max_in_flight` messages wait for an answer, over all requests.

mod config;
mod message;
mod stream;
mod subject;
#[cfg(test)]
mod tests;

use config::{Config, Encoding, Plan};
use futures_util::StreamExt;
use lanner_engine::{
    component::Settled,
    prelude::*,
    telemetry::{Counter, Health, Status},
};
use lanner_nats::{Failure, Kind as FailureKind, Link, Rpc, jetstream};
use message::{Records, Share};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use stream::{NotReady, Watched};
use subject::Subject;
use tokio::sync::Semaphore;

/// The component type.
pub struct Nats;

/// What this exporter starts from: a request may need many messages.
pub const DELIVERY: DeliveryDefaults = DeliveryDefaults { queue: true, timeout: Duration::from_secs(30) };

/// How long until a stream that was not there is looked for again, while there is nothing to send.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Component for Nats {
    const TYPE: &'static str = "nats";
    const STABILITY: Stability = Stability::Alpha;
    const SIGNALS: Signals = Signals::LOGS;
    const README: &'static str = include_str!("README.md");
    type Config = Config;
    type Plan = Plan;

    fn plan(config: Config, cx: &mut PlanCx<'_>) -> Option<Plan> {
        config.check(cx)
    }
}

struct NatsExporter {
    rpc: Rpc,
    subject: Subject,
    encoding: Encoding,
    stream: Watched,
    ack_timeout: Duration,
    max_in_flight: usize,
    in_flight: Semaphore,
    duplicates: Counter,
    health: Health,
    /// As the health of components is named.
    name: String,
}

#[async_trait]
impl ExporterPlan for Plan {
    /// Reads certificates and credentials. A server that is away is no error: it is waited for.
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Exporter>, BoxError> {
        let link = Link::new(self.connection, &format!("lanner {}", cx.owner()))?;
        let max_in_flight = usize::from(self.max_in_flight);
        Ok(Box::new(NatsExporter {
            rpc: Rpc::new(Arc::new(link)),
            subject: self.subject,
            encoding: self.encoding,
            stream: Watched::new(self.stream),
            ack_timeout: self.ack_timeout,
            max_in_flight,
            in_flight: Semaphore::new(max_in_flight),
            duplicates: cx.telemetry.counter(
                "lanner_nats_duplicates",
                "Messages that the stream had already; they count as delivered.",
                "{message}",
                &[("exporter", cx.id.as_str())],
            ),
            health: cx.health.clone(),
            name: format!("{}:{}", Kind::Exporter, cx.id),
        }))
    }
}

#[async_trait]
impl Exporter for NatsExporter {
    async fn export(&self, request: &Request) -> Outcome {
        let logs = match request.logs() {
            Ok(logs) => logs,
            Err(error) => return Outcome::Reject { reason: error.to_string() },
        };
        if let Err(not_ready) = self.ready().await {
            return outcome(&not_ready);
        }
        let records = Records::new(request, logs);
        let shares = records.shares(request.progress().open(), &self.subject, self.encoding);
        let attempt = Attempt { exporter: self, records, request, failure: Mutex::default() };
        let sends = futures_util::stream::iter(shares);
        sends.for_each_concurrent(self.max_in_flight, |share| attempt.send(share)).await;
        let failure = attempt.failure.into_inner();
        if matches!(failure, Some(Failure::NoResponders(_))) {
            self.stream.forget().await;
        }
        request.progress().outcome().unwrap_or_else(|| {
            let reason = failure.map_or_else(|| "not every message was sent".to_owned(), |failure| failure.to_string());
            Outcome::Retry { after: None, reason }
        })
    }

    async fn run(&self, drain: Drain) -> Result<(), BoxError> {
        tokio::select! {
            () = self.prepare() => drain.requested().await,
            () = drain.requested() => {}
        }
        self.rpc.link().close().await;
        Ok(())
    }
}

fn outcome(not_ready: &NotReady) -> Outcome {
    let reason = not_ready.to_string();
    match not_ready {
        NotReady::Failure(failure) if failure.kind() == FailureKind::Permanent => Outcome::Reject { reason },
        _ => Outcome::Retry { after: None, reason },
    }
}

impl NatsExporter {
    /// Connects and looks for the stream.
    async fn ready(&self) -> Result<(), NotReady> {
        self.rpc.open(self.ack_timeout).await?;
        self.stream.ready(&self.rpc, self.ack_timeout).await
    }

    /// Connects and looks for the stream, so that what is wrong is told before the first event.
    async fn prepare(&self) {
        let mut told = None;
        loop {
            let Err(not_ready) = self.ready().await else { break };
            if told.as_ref() != Some(&not_ready) {
                tracing::warn!(exporter = %self.name, reason = %not_ready, "nothing can be published; trying on");
                self.health.report(&self.name, Status::Recoverable(not_ready.to_string()));
                told = Some(not_ready);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        if told.is_some() {
            self.health.report(&self.name, Status::Ok);
        }
    }
}

/// One attempt at a request.
struct Attempt<'a> {
    exporter: &'a NatsExporter,
    records: Records<'a>,
    request: &'a Request,
    /// Why something must be tried again. Nothing more is sent then.
    failure: Mutex<Option<Failure>>,
}

impl Attempt<'_> {
    async fn send(&self, share: Share) {
        let Share { subject, items } = share;
        // Parts of the message, the next one last.
        let mut parts = vec![items];
        while let Some(mut items) = parts.pop() {
            let exporter = self.exporter;
            // It is never closed.
            let Ok(_permit) = exporter.in_flight.acquire().await else { return };
            if self.failure.lock().is_some() {
                return;
            }
            let message = match self.records.message(&subject, &items, exporter.encoding) {
                Ok(message) => message,
                Err(reason) => {
                    self.reject(&items, &reason);
                    continue;
                }
            };
            match jetstream::publish(&exporter.rpc, &message, exporter.ack_timeout).await {
                Ok(published) => {
                    exporter.duplicates.add(published.duplicate.into());
                    items.iter().for_each(|item| self.request.progress().settle(*item, Settled::Delivered));
                }
                Err(failure) => match failure.kind() {
                    FailureKind::Retry => {
                        self.failure.lock().get_or_insert(failure);
                        return;
                    }
                    FailureKind::TooLarge if items.len() > 1 => {
                        let second = items.split_off(items.len() / 2);
                        parts.extend([second, items]);
                    }
                    FailureKind::TooLarge | FailureKind::Permanent => self.reject(&items, &failure.to_string()),
                },
            }
        }
    }

    fn reject(&self, items: &[usize], reason: &str) {
        for item in items {
            self.request.progress().settle(*item, Settled::Rejected { reason: reason.to_owned() });
        }
    }
}
