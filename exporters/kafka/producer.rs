//! Kafka's client, from the side of a single message.
//!
//! Promises
//! - A message that the brokers confirmed is settled in its request at once, also when the attempt that sent it was given up.
//!   Confirmed means that they told its offset; see [`Sent::Unconfirmed`].
//! - At most [`Producer::room`] is in the client's hands, so that its queue is never full and nobody is blocked; who finds no
//!   room waits.
//! - A client that has failed for good is replaced by a new one.
//! - Nothing of the client blocks a task: sending only queues, and stopping happens on a thread of its own.
//!
//! The brokers tell repetitions of one client apart (idempotence); a new client, or a new attempt, is a new sender to them.

use super::{check::Plan, message::Message};
use lanner_engine::{
    component::{Progress, Settled},
    net::{
        client::peer_text,
        kafka::{Obstacle, Obstacles, Settings},
    },
    prelude::*,
};
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig, ClientContext, Message as _, Offset,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
};
use std::{mem, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// What may be in the client's hands, in KiB, unless a message may be so large that it takes more.
const ROOM_KIB: usize = 64 << 10;
/// A topic that is not there is told after this time.
const TOPIC_WAIT: Duration = Duration::from_secs(5);

type Client = ThreadedProducer<Events>;

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    Delivered,
    /// The client takes it for delivered, without an offset, because a later message of its partition was confirmed. That
    /// proves nothing: a broker that has not met this client in the partition (a new topic, a new client while leaders
    /// change) refuses the first messages as long as it is not the leader, and then takes later ones that were on their way
    /// too (KAFKA-15591).
    Unconfirmed,
    Failed(RDKafkaErrorCode),
}

/// A message on its way.
pub struct OnItsWay {
    progress: Arc<Progress>,
    items: Vec<usize>,
    report: oneshot::Sender<Sent>,
    _room: OwnedSemaphorePermit,
}

/// What the client calls back, and what is known to be in its way.
#[derive(Clone)]
struct Events {
    exporter: Arc<str>,
    obstacles: Arc<Obstacles>,
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, _: &str, text: &str) {
        log(level, text);
    }

    fn error(&self, error: KafkaError, text: &str) {
        let text = peer_text(text.as_bytes());
        tracing::debug!(%error, text, "Kafka's client");
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        // Brokers close connections that nobody uses, and an exporter may have nothing to send.
        if let Some(obstacle) = self.obstacles.meet(code as i32, text).filter(Obstacle::is_permanent) {
            tracing::warn!(exporter = &*self.exporter, reason = %obstacle, "nothing can be sent to Kafka; trying on");
        }
    }
}

impl ProducerContext for Events {
    type DeliveryOpaque = Box<OnItsWay>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<OnItsWay>) {
        let OnItsWay { progress, items, report, _room } = *sent;
        let sent = match result {
            Ok(message) => {
                if self.obstacles.pass().is_some_and(|obstacle| obstacle.is_permanent()) {
                    tracing::info!(exporter = &*self.exporter, "messages are sent to Kafka again");
                }
                if Offset::from_raw(message.offset()) == Offset::Invalid {
                    Sent::Unconfirmed
                } else {
                    items.iter().for_each(|item| progress.settle(*item, Settled::Delivered));
                    Sent::Delivered
                }
            }
            Err((error, _)) => Sent::Failed(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)),
        };
        // Nobody waits any more when the attempt was given up.
        let _ = report.send(sent);
    }
}

/// A client that stops on a thread of its own, because stopping may take a while.
struct Running(Option<Client>);

impl Drop for Running {
    fn drop(&mut self) {
        let client = self.0.take();
        // Without a thread to be had it stops here.
        let _ = std::thread::Builder::new().name("kafka-stop".to_owned()).spawn(move || drop(client));
    }
}

/// Sends messages.
pub struct Producer {
    config: ClientConfig,
    events: Events,
    client: Mutex<Arc<Running>>,
    room: Arc<Semaphore>,
    room_kib: usize,
}

impl Producer {
    /// Makes the client; brokers are looked for later.
    ///
    /// # Errors
    /// The client cannot be made, for example because a certificate cannot be read.
    pub fn new(plan: &Plan, cx: &BuildCx) -> Result<Self, BoxError> {
        let room_kib = ROOM_KIB.max(4 * plan.max_message / 1024);
        let config = client_config(plan, room_kib);
        let events = Events { exporter: cx.id.as_str().into(), obstacles: Arc::default() };
        let client = Mutex::new(Arc::new(connect(&config, &events)?));
        Ok(Self { config, events, client, room: Arc::new(Semaphore::new(room_kib)), room_kib })
    }

    /// What is in the way of the brokers, as far as the client has told.
    pub fn obstacle(&self) -> Option<Obstacle> {
        self.events.obstacles.now()
    }

    /// Sends a message to `topic` and waits for its confirmation. Dropped, the message may still arrive, and then is settled.
    pub async fn send(&self, topic: &str, message: &Message, progress: &Arc<Progress>) -> Sent {
        let length = message.value.len() + message.key.as_ref().map_or(0, |key| key.len());
        let kib = (length / 1024 + 1).min(self.room_kib);
        let permits = u32::try_from(kib).unwrap_or(u32::MAX);
        // It is closed never.
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(permits).await else {
            return Sent::Failed(RDKafkaErrorCode::QueueFull);
        };
        let (report, reported) = oneshot::channel();
        let sent = OnItsWay { progress: Arc::clone(progress), items: message.items.clone(), report, _room: room };
        if let Err(code) = self.queue(topic, message, sent) {
            self.replace_failed(code);
            return Sent::Failed(code);
        }
        let sent = reported.await.unwrap_or(Sent::Failed(RDKafkaErrorCode::PurgeQueue));
        if let Sent::Failed(code) = sent {
            self.replace_failed(code);
        }
        sent
    }

    fn queue(&self, topic: &str, message: &Message, sent: OnItsWay) -> Result<(), RDKafkaErrorCode> {
        let (name, id) = message.id.header();
        let headers = OwnedHeaders::new_with_capacity(1).insert(Header { key: name, value: Some(id) });
        let record = BaseRecord::with_opaque_to(topic, Box::new(sent)).payload(&message.value[..]).headers(headers);
        let record = match &message.key {
            Some(key) => record.key(&**key),
            None => record,
        };
        let client = Arc::clone(&self.client.lock());
        let Some(client) = &client.0 else { return Err(RDKafkaErrorCode::Fail) };
        client.send(record).map_err(|(error, _)| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail))
    }

    /// Makes a new client when the one there is has failed for good.
    fn replace_failed(&self, code: RDKafkaErrorCode) {
        let mut client = self.client.lock();
        let fatal = client.0.as_ref().and_then(|client| client.client().fatal_error());
        let Some((cause, text)) = fatal else { return };
        match connect(&self.config, &self.events) {
            Ok(fresh) => {
                tracing::warn!(%code, %cause, text = peer_text(text.as_bytes()), "Kafka's client failed; there is a new one");
                drop(mem::replace(&mut *client, Arc::new(fresh)));
            }
            Err(error) => tracing::error!(%error, "Kafka's client failed, and a new one cannot be made"),
        }
    }
}

fn connect(config: &ClientConfig, events: &Events) -> Result<Running, KafkaError> {
    Ok(Running(Some(Client::from_config_and_context(config, events.clone())?)))
}

fn client_config(plan: &Plan, room_kib: usize) -> ClientConfig {
    let mut config = ClientConfig::new();
    set(&mut config, &plan.connection);
    config
        .set_log_level(RDKafkaLogLevel::Warning)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // As Kafka's own clients choose, so that others find the same partition for a key.
        .set("partitioner", "murmur2_random")
        .set("compression.type", plan.compression.as_str())
        .set("message.max.bytes", plan.max_message.to_string())
        .set("linger.ms", plan.linger.as_millis().to_string())
        .set("message.timeout.ms", plan.message_limit.as_millis().to_string())
        .set("request.timeout.ms", "10000")
        .set("topic.metadata.propagation.max.ms", TOPIC_WAIT.as_millis().to_string())
        // A topic that was refused is asked for again, so that a right that was granted has its effect.
        .set("topic.metadata.refresh.interval.ms", "30000")
        // Above our own bounds, so that these decide.
        .set("queue.buffering.max.kbytes", (2 * room_kib).to_string())
        .set("queue.buffering.max.messages", (2 * room_kib).to_string());
    config
}

fn set(config: &mut ClientConfig, settings: &Settings) {
    for (name, value) in settings {
        config.set(*name, value.expose());
    }
}

/// Shows what the client tells, which holds names and errors but no secrets and no data.
fn log(level: RDKafkaLogLevel, text: &str) {
    let text = peer_text(text.as_bytes());
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(text, "Kafka's client");
        }
        _ => tracing::debug!(text, "Kafka's client"),
    }
}
