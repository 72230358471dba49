//! Kafka's client, from the side of a group member.
//!
//! Promises
//! - Offsets are stored by hand, after the pipelines have the messages; the client commits what is stored, every second, when
//!   partitions are taken away, and at the end. What is not stored is fetched again.
//! - Nothing of the client blocks a task: fetching is asynchronous, and leaving the group happens on a thread of its own.
//! - A problem is told once, to the log and to the health, until another one comes or it is over.

use super::{check::Plan, config::InitialOffset};
use lanner_engine::{
    net::{client::peer_text, kafka::Obstacles},
    prelude::*,
    telemetry::{Health, Status},
};
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode as Code},
};
use std::{ops::Deref, sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// What is fetched ahead, in KiB, beside a message that is larger.
const AHEAD_KIB: usize = 16 << 10;
/// How often stored offsets are committed.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// How often to look for topics and partitions that are new.
const TOPICS_EVERY: Duration = Duration::from_secs(10);
/// How long leaving the group may hold the end up.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// What the client calls back, and what is known about how it is.
#[derive(Clone)]
pub struct Events(Arc<Told>);

struct Told {
    health: Health,
    /// As the health of components is named.
    name: String,
    obstacles: Obstacles,
}

impl Events {
    /// For the receiver that is being built.
    pub fn new(cx: &BuildCx) -> Self {
        let name = format!("{}:{}", Kind::Receiver, cx.id);
        Self(Arc::new(Told { health: cx.health.clone(), name, obstacles: Obstacles::default() }))
    }

    /// A message came.
    pub fn well(&self) {
        let Told { health, name, obstacles } = &*self.0;
        if obstacles.pass().is_some() {
            tracing::info!(component = name, "messages from Kafka again");
            health.report(name, Status::Ok);
        }
    }
}

impl ClientContext for Events {
    fn log(&self, _: RDKafkaLogLevel, _: &str, text: &str) {
        tracing::debug!(text = peer_text(text.as_bytes()), "Kafka's client");
    }

    /// Something does not work, and is tried again. The client calls this for everything that fetching gives as an error.
    fn error(&self, error: KafkaError, text: &str) {
        let Told { health, name, obstacles } = &*self.0;
        let text = peer_text(text.as_bytes());
        tracing::debug!(%error, text, "Kafka's client");
        let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
        let Some(obstacle) = obstacles.meet(code as i32, text) else { return };
        let reason = obstacle.to_string();
        tracing::warn!(component = name, reason, "no messages from Kafka; trying on");
        health.report(
            name,
            if obstacle.is_permanent() { Status::Permanent(reason) } else { Status::Recoverable(reason) },
        );
    }
}

impl ConsumerContext for Events {}

/// A member of the group. Dropped, it leaves on a thread of its own.
pub struct Member(Option<StreamConsumer<Events>>);

impl Deref for Member {
    type Target = StreamConsumer<Events>;

    fn deref(&self) -> &Self::Target {
        // It is taken only when the member is dropped or left, which ends every borrow.
        #[allow(clippy::expect_used, reason = "see above")]
        self.0.as_ref().expect("a member has its client until it leaves")
    }
}

impl Member {
    /// Makes the client and subscribes; brokers are looked for later. Needs a runtime.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn join(config: &ClientConfig, events: Events, topics: &[&str]) -> Result<Self, KafkaError> {
        let member = Self(Some(config.create_with_context(events)?));
        member.subscribe(topics)?;
        Ok(member)
    }

    /// Commits what is stored and leaves the group, for a bounded time.
    pub async fn leave(mut self) {
        let (done, left) = oneshot::channel();
        on_a_thread(self.0.take(), Some(done));
        if tokio::time::timeout(LEAVE_LIMIT, left).await.is_err() {
            tracing::warn!("the brokers did not confirm the last offsets; some messages will come twice");
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            on_a_thread(Some(client), None);
        }
    }
}

/// Stops a client, which may take a while.
fn on_a_thread<C: Send + 'static>(client: Option<C>, done: Option<oneshot::Sender<()>>) {
    let stop = move || {
        drop(client);
        done.map(|done| done.send(()));
    };
    // Without a thread to be had it stops here.
    let _ = std::thread::Builder::new().name("kafka-stop".to_owned()).spawn(stop);
}

/// The client's configuration.
///
/// # Errors
/// The client would not start with it, for example because a certificate cannot be read.
pub fn client_config(plan: &Plan) -> Result<ClientConfig, BoxError> {
    let mut config = ClientConfig::new();
    for (name, value) in &plan.connection {
        config.set(*name, value.expose());
    }
    let offset = match plan.initial_offset {
        InitialOffset::Latest => "latest",
        InitialOffset::Earliest => "earliest",
    };
    let max_fetch = plan.max_message.max(AHEAD_KIB << 10);
    config
        .set_log_level(RDKafkaLogLevel::Warning)
        .set("group.id", &plan.group)
        .set("auto.offset.reset", offset)
        .set("session.timeout.ms", plan.session.as_millis().to_string())
        .set("heartbeat.interval.ms", plan.heartbeat.as_millis().to_string())
        // Partitions move one by one: what is on its way from the others is not read twice.
        .set("partition.assignment.strategy", "cooperative-sticky")
        // A topic that comes later, or gets more partitions, is noticed then.
        .set("topic.metadata.refresh.interval.ms", TOPICS_EVERY.as_millis().to_string())
        .set("enable.auto.offset.store", "false")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", COMMIT_EVERY.as_millis().to_string())
        .set("queued.max.messages.kbytes", AHEAD_KIB.to_string())
        .set("fetch.message.max.bytes", (1 << 20).to_string())
        .set("fetch.max.bytes", max_fetch.to_string())
        .set("receive.message.max.bytes", (2 * max_fetch).to_string());
    // A client that is not subscribed asks nobody for anything.
    let probe: BaseConsumer = config.create()?;
    on_a_thread(Some(probe), None);
    Ok(config)
}
