//! Membership in the group, from the first message to the last offset.
//!
//! Promises
//! - Offsets are stored only after the pipelines have everything up to them, poison apart, which is counted.
//! - While the pipelines are busy the partitions are paused and the membership is kept: no message is fetched that nobody
//!   takes, and nobody else gets the partitions.
//! - At most a batch, one message and what the client fetches ahead are held.

use super::{
    Metrics,
    check::Plan,
    client::{Events, Member},
    read::{Fetched, Read, read},
};
use bytes::Bytes;
use futures_util::FutureExt;
use lanner_engine::{
    event::otlp::{Salvaged, salvage_logs},
    prelude::*,
};
use rdkafka::{Message as _, consumer::Consumer as _, error::KafkaError, message::BorrowedMessage};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until};

/// Bytes after which a batch is handed over.
const BATCH_BYTES: usize = 1 << 20;
/// Messages after which a batch is handed over.
const BATCH_MESSAGES: usize = 1000;
/// Larger batches are read beside the tasks, which share few threads.
const READ_INLINE: usize = 256 << 10;
/// The pipelines may take so long for a batch before the partitions are paused.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two tries while something does not work.
const TROUBLE_PAUSE: Duration = Duration::from_millis(200);
/// What may still come in after the partitions were paused. It came before, so there is little of it.
const HELD: usize = 1000;

/// Why a session ended.
pub enum End {
    Drained,
    /// The client cannot go on.
    Failed,
}

/// One membership.
pub struct Session<'r> {
    pub plan: &'r Arc<Plan>,
    pub member: &'r Member,
    pub events: &'r Events,
    pub metrics: &'r Metrics,
    pub out: &'r Consumer,
    pub drain: &'r Drain,
    /// Came while the partitions were about to pause.
    pub held: VecDeque<Fetched>,
}

/// The pipelines take nothing any more.
struct Stopped;

impl Session<'_> {
    /// Fetches and delivers until drained.
    pub async fn run(&mut self) -> End {
        loop {
            let messages = match self.gather().await {
                Ok(messages) => messages,
                Err(end) => return end,
            };
            if messages.is_empty() {
                continue;
            }
            self.events.well();
            if self.deliver(&messages).await.is_err() {
                return End::Drained;
            }
            self.store(&messages);
        }
    }

    /// The messages that are there, at least one unless something went wrong.
    async fn gather(&mut self) -> Result<Vec<Fetched>, End> {
        let mut messages: Vec<Fetched> = Vec::new();
        let mut bytes = 0;
        while messages.len() < BATCH_MESSAGES && bytes < BATCH_BYTES {
            let next = if let Some(held) = self.held.pop_front() {
                Ok(held)
            } else if messages.is_empty() {
                tokio::select! {
                    biased;
                    () = self.drain.requested() => return Err(End::Drained),
                    next = self.member.recv() => next.map(|message| fetched(&message)),
                }
            } else {
                match self.member.recv().now_or_never() {
                    Some(next) => next.map(|message| fetched(&message)),
                    None => break,
                }
            };
            match next {
                Ok(message) => {
                    bytes += message.payload.len();
                    messages.push(message);
                }
                Err(error) => {
                    if is_the_end(&error) {
                        return Err(End::Failed);
                    }
                    if messages.is_empty() {
                        sleep(TROUBLE_PAUSE).await;
                    }
                    break;
                }
            }
        }
        Ok(messages)
    }

    async fn deliver(&mut self, messages: &[Fetched]) -> Result<(), Stopped> {
        let Read { batches, poison, degraded, unusable } = self.read(messages).await;
        for batch in batches {
            match self.hand_over(batch.clone()).await {
                Ok(()) => {}
                Err(Refused::Invalid(reason)) => self.hand_over_rest(&batch, &reason).await?,
                Err(Refused::Draining | Refused::Busy { .. }) => return Err(Stopped),
            }
        }
        // Counted when nothing of it can come again.
        for (reason, count) in poison.iter() {
            tracing::warn!(count, reason, "messages of Kafka were passed over");
            self.out.failed(count as u64, reason);
        }
        degraded.iter().for_each(|(reason, count)| self.metrics.degraded.add(reason, count));
        unusable.iter().for_each(|(reason, count)| self.metrics.unusable.add(reason, count));
        Ok(())
    }

    async fn read(&self, messages: &[Fetched]) -> Read {
        if messages.iter().map(|message| message.payload.len()).sum::<usize>() <= READ_INLINE {
            return read(self.plan, messages);
        }
        let (plan, shared) = (Arc::clone(self.plan), messages.to_vec());
        match tokio::task::spawn_blocking(move || read(&plan, &shared)).await {
            Ok(read) => read,
            // The runtime is going down.
            Err(_) => read(self.plan, messages),
        }
    }

    /// Hands a batch over, however long the pipelines are busy, and stays a member meanwhile.
    async fn hand_over(&mut self, batch: Batch) -> Result<(), Refused> {
        let taken = self.out.consume_patiently(batch, self.drain);
        tokio::pin!(taken);
        let pause_at = Instant::now() + PATIENCE;
        let mut paused = false;
        let result = loop {
            tokio::select! {
                biased;
                result = &mut taken => break result,
                () = sleep_until(pause_at), if !paused => {
                    self.metrics.pauses.add(1);
                    self.pause();
                    paused = true;
                }
                next = self.member.recv(), if paused && self.held.len() < HELD => match next {
                    Ok(message) => {
                        self.held.push_back(fetched(&message));
                        // Of a partition that is ours only now.
                        self.pause();
                    }
                    // A client that has failed is noticed again by whoever gathers next.
                    Err(_) => sleep(TROUBLE_PAUSE).await,
                },
            }
        };
        if paused {
            self.resume();
        }
        result
    }

    /// Hands over what can be read of logs that somebody behind could not read.
    async fn hand_over_rest(&mut self, batch: &Batch, reason: &str) -> Result<(), Stopped> {
        let logs = batch.as_otlp().filter(|request| request.signal == Signal::Logs);
        let salvaged = logs.and_then(|request| salvage_logs(&request.bytes).ok().flatten());
        let Some(Salvaged { request, rejected, .. }) = salvaged.filter(|left| left.request.items > 0) else {
            // The engine has counted it as refused; trying again would stop the partition for good.
            tracing::warn!(reason, "messages of Kafka were refused for good");
            return Ok(());
        };
        match self.hand_over(Batch::otlp(request)).await {
            Ok(()) => self.out.failed(rejected as u64, "malformed"),
            Err(Refused::Invalid(reason)) => tracing::warn!(reason, "messages of Kafka were refused for good"),
            Err(Refused::Draining | Refused::Busy { .. }) => return Err(Stopped),
        }
        Ok(())
    }

    fn pause(&self) {
        let paused = self.member.assignment().and_then(|partitions| self.member.pause(&partitions));
        if let Err(error) = paused {
            tracing::debug!(%error, "the partitions are not paused");
        }
    }

    fn resume(&self) {
        let resumed = self.member.assignment().and_then(|partitions| self.member.resume(&partitions));
        if let Err(error) = resumed {
            tracing::debug!(%error, "the partitions are not resumed");
        }
    }

    /// The pipelines have these messages and all before them.
    fn store(&self, messages: &[Fetched]) {
        let mut last: BTreeMap<(&str, i32), i64> = BTreeMap::new();
        for message in messages {
            last.insert((&message.topic, message.partition), message.offset);
        }
        for ((topic, partition), offset) in last {
            // A partition that somebody else has by now: the messages come twice.
            if let Err(error) = self.member.store_offset(topic, partition, offset) {
                tracing::debug!(topic, partition, %error, "an offset is not stored");
            }
        }
        let newest = messages.iter().map(|message| message.time).max().unwrap_or(0);
        self.metrics.lag(newest);
    }
}

/// Whether the client cannot go on. It has told the problem itself.
fn is_the_end(error: &KafkaError) -> bool {
    matches!(error, KafkaError::MessageConsumptionFatal(_))
}

fn fetched(message: &BorrowedMessage<'_>) -> Fetched {
    let millis = message.timestamp().to_millis().and_then(|millis| u64::try_from(millis).ok()).unwrap_or(0);
    Fetched {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        time: millis.saturating_mul(1_000_000),
        payload: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
    }
}
