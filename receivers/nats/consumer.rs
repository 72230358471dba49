//! The durable consumer: made when it is missing, and fetched from.
//!
//! Promises: a consumer that is there is not changed, and one that cannot be used is told; a fetch is repeated when it ended, when
//! its answer is overdue, and when the connection was made anew; what is fetched and not yet handled is bounded by a fetch.

use super::{
    config::ConsumerPlan,
    message::{Fetched, Verdict},
};
use async_nats::{Client, StatusCode, Subscriber};
use futures_util::{FutureExt, StreamExt};
use lanner_engine::{net::client::peer_text, prelude::*};
use lanner_nats::{
    Failure, Message, Rpc,
    jetstream::{self, code, next_subject},
};
use serde_json::{Value as Json, json};
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// How long an answer of the server is waited for.
pub const ASK_LIMIT: Duration = Duration::from_secs(5);
/// How long the server keeps a fetch that it cannot fulfil.
const EXPIRES: Duration = Duration::from_secs(10);
/// How much later its answer may come.
const OVERDUE: Duration = Duration::from_secs(2);
/// Bytes of a fetch, if two of the largest messages do not need more.
const FETCH_BYTES: usize = 8 << 20;
/// What the server counts of a message beside its payload.
const MESSAGE_OVERHEAD: usize = 64 << 10;

/// Why there are no messages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error("there is no stream `{0}`; make it with `nats stream add`, or let the exporter that fills it make it")]
    NoStream(String),
    #[error(
        "the consumer `{0}` pushes its messages or does not want each of them acknowledged; choose another `consumer`"
    )]
    Unusable(String),
    #[error("the server ended a fetch: {0}")]
    Fetch(String),
}

/// How a session ended.
#[derive(Debug)]
pub enum End {
    Drained,
    /// The connection broke, or the consumer may be another one than it was: everything is to be looked at again.
    Stale,
    Trouble(Trouble),
}

/// The consumer on one connection.
pub struct Session<'r> {
    client: &'r Client,
    state: watch::Receiver<lanner_nats::link::State>,
    /// How often the connection had broken before.
    lost: u64,
    subscriber: Subscriber,
    inbox: String,
    /// Where messages are asked for.
    next: String,
    max_messages: usize,
    /// The fetch that is under way, by number.
    fetch: Option<Fetch>,
    fetches: u64,
    /// A fetch ended early.
    stale: bool,
    /// How long the server waits for an answer.
    pub ack_wait: Duration,
}

struct Fetch {
    reply: String,
    /// When its end is overdue.
    until: Instant,
    received: usize,
}

#[derive(Deserialize)]
struct Info {
    config: InfoConfig,
}

#[derive(Deserialize)]
struct InfoConfig {
    #[serde(default)]
    deliver_subject: Option<String>,
    #[serde(default)]
    ack_policy: String,
    /// In nanoseconds.
    #[serde(default)]
    ack_wait: u64,
}

impl<'r> Session<'r> {
    /// Connects, looks for the consumer and subscribes to its messages.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub async fn open(rpc: &'r Rpc, plan: &ConsumerPlan) -> Result<Self, Trouble> {
        let client = rpc.link().ready(ASK_LIMIT).await?;
        let mut state = rpc.link().watch();
        let lost = state.borrow_and_update().lost;
        let config = consumer(rpc, plan).await?;
        if config.deliver_subject.is_some() || config.ack_policy != "explicit" {
            return Err(Trouble::Unusable(plan.name.clone()));
        }
        let inbox = client.new_inbox();
        let subscriber = client.subscribe(format!("{inbox}.*")).await.map_err(|_| Failure::Lost)?;
        Ok(Self {
            client,
            state,
            lost,
            subscriber,
            inbox,
            next: next_subject(&plan.stream, &plan.name),
            max_messages: plan.max_messages,
            fetch: None,
            fetches: 0,
            stale: false,
            ack_wait: Duration::from_nanos(config.ack_wait),
        })
    }

    /// The next messages, at least one; waits for them until `drain`. Cancel-safe.
    ///
    /// # Errors
    /// The session is over.
    pub async fn messages(&mut self, drain: &Drain) -> Result<Vec<Fetched>, End> {
        let mut fetched = Vec::new();
        while fetched.is_empty() {
            if self.stale {
                return Err(End::Stale);
            }
            let until = match &self.fetch {
                Some(fetch) => fetch.until,
                None => self.ask().await?,
            };
            let (state, lost) = (&mut self.state, self.lost);
            let broken = async { drop(state.wait_for(|state| state.lost != lost).await) };
            tokio::select! {
                biased;
                () = drain.requested() => return Err(End::Drained),
                () = broken => return Err(End::Stale),
                message = self.subscriber.next() => match message {
                    Some(message) => self.take(message, &mut fetched)?,
                    None => return Err(End::Trouble(Failure::Lost.into())),
                },
                // JetStream says nothing about a consumer that it does not know.
                () = sleep_until(until) => return Err(End::Trouble(Failure::Silent(EXPIRES + OVERDUE).into())),
            }
        }
        // What else is here already goes along.
        while fetched.len() < self.max_messages
            && let Some(Some(message)) = self.subscriber.next().now_or_never()
        {
            self.take(message, &mut fetched)?;
        }
        Ok(fetched)
    }

    /// Gives back what was fetched and nobody has seen.
    pub async fn give_back(&mut self) -> usize {
        let mut count = 0;
        while let Some(Some(message)) = self.subscriber.next().now_or_never() {
            if let Some(fetched) = Fetched::of(message) {
                self.answer([&fetched], Verdict::Nak(Duration::ZERO)).await;
                count += 1;
            }
        }
        count
    }

    /// Answers for messages. An answer that gets lost means that they come again.
    pub async fn answer<'m>(&self, messages: impl IntoIterator<Item = &'m Fetched>, verdict: Verdict) {
        for message in messages {
            let _ = self.client.publish(message.reply.clone(), verdict.payload()).await;
        }
    }

    /// Tells the server that messages are being worked on. Without a connection nobody would hear it in time.
    pub async fn still_waiting(&self, messages: &[Fetched]) {
        if self.client.connection_state() == async_nats::connection::State::Connected {
            self.answer(messages, Verdict::Progress).await;
        }
    }

    /// Asks for messages; until when an answer must have come.
    async fn ask(&mut self) -> Result<Instant, End> {
        self.fetches += 1;
        // Each has a subject of its own, so that the end of an old one is not taken for that of a new one.
        let reply = format!("{}.{}", self.inbox, self.fetches);
        let max_bytes = FETCH_BYTES.max(2 * (self.client.max_payload() + MESSAGE_OVERHEAD));
        let body = json!({"batch": self.max_messages, "expires": EXPIRES.as_nanos() as u64, "max_bytes": max_bytes});
        let sent = self.client.publish_with_reply(self.next.clone(), reply.clone(), body.to_string().into()).await;
        sent.map_err(|_| End::Trouble(Failure::Lost.into()))?;
        let until = Instant::now() + EXPIRES + OVERDUE;
        self.fetch = Some(Fetch { reply, until, received: 0 });
        Ok(until)
    }

    /// Sorts messages from what the server says about the fetch.
    fn take(&mut self, message: Message, into: &mut Vec<Fetched>) -> Result<(), End> {
        let Some(status) = message.status else {
            let fetched = Fetched::of(message);
            if let Some(fetch) = self.fetch.as_mut().filter(|_| fetched.is_some()) {
                fetch.received += 1;
                if fetch.received == self.max_messages {
                    self.fetch = None;
                }
            }
            into.extend(fetched);
            return Ok(());
        };
        let is_current = |fetch: &Fetch| fetch.reply == message.subject.as_str();
        let Some(fetch) = self.fetch.take_if(|fetch| is_current(fetch)) else { return Ok(()) };
        match status {
            StatusCode::IDLE_HEARTBEAT => self.fetch = Some(fetch),
            // It found nothing in time, or nothing more that fits.
            StatusCode::NOT_FOUND | StatusCode::TIMEOUT => {}
            // No room for the next message, or the consumer was deleted; it may have been a good fetch so far.
            _ if fetch.received > 0 => self.stale = true,
            StatusCode::NO_RESPONDERS => return Err(End::Trouble(Failure::NoResponders(self.next.clone()).into())),
            _ => {
                let text = message.description.unwrap_or_default();
                return Err(End::Trouble(Trouble::Fetch(format!("{} ({status})", peer_text(text.as_bytes())))));
            }
        }
        Ok(())
    }
}

/// The consumer as the server knows it; made if it is missing.
async fn consumer(rpc: &Rpc, plan: &ConsumerPlan) -> Result<InfoConfig, Trouble> {
    let ConsumerPlan { stream, name, filter_subject, ack_wait, .. } = plan;
    let known = jetstream::ask::<Info>(rpc, &format!("CONSUMER.INFO.{stream}.{name}"), &Json::Null, ASK_LIMIT).await;
    let info = match known {
        Err(missing) if missing.is(code::NO_CONSUMER) => {
            let mut config = json!({
                "durable_name": name,
                "ack_policy": "explicit",
                "ack_wait": u64::try_from(ack_wait.as_nanos()).unwrap_or(u64::MAX),
                "deliver_policy": "all",
                "replay_policy": "instant",
                // Counted here, so that nothing is given up silently.
                "max_deliver": -1,
            });
            if let Some(filter) = filter_subject {
                config["filter_subject"] = filter.as_str().into();
            }
            let body = json!({"stream_name": stream, "config": config});
            let made = jetstream::ask(rpc, &format!("CONSUMER.DURABLE.CREATE.{stream}.{name}"), &body, ASK_LIMIT).await;
            tracing::info!(stream, consumer = name, made = made.is_ok(), "the consumer was missing");
            made
        }
        known => known,
    };
    match info {
        Err(missing) if missing.is(code::NO_STREAM) => Err(Trouble::NoStream(stream.clone())),
        info => Ok(info?.config),
    }
}
