//! One connection: who answers there, and its alerts until it ends.
//!
//! Promises: at most [`BATCH`] alerts, or [`BATCH_BYTES`] and one alert, are taken from the connection before the pipelines
//! have them, and then nothing is read until they do; a stream that ends in the middle is reported as a gap.

use super::{
    asking::Asking,
    client::Client,
    config::Method,
    connect::Connector,
    deliver::{Delivery, Stopped},
    failure::Failure,
    guard::Skipped,
    stream::Met,
    version::Version,
};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use lanner_engine::prelude::*;
use std::{pin::pin, time::Duration};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic::{Code, Status, Streaming};

/// Most alerts of a batch.
pub const BATCH: usize = 512;
/// Most bytes of a batch, give or take its last alert.
pub const BATCH_BYTES: usize = 256 << 10;
/// How long Falco may take to say its version.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);

/// What all connections have in common.
pub struct Session {
    pub connector: Connector,
    pub method: Method,
    /// Time between requests.
    pub interval: Duration,
    pub max_message: usize,
    pub delivery: Delivery,
    /// Given when Lanner stops: nothing more is asked for.
    pub drain: Drain,
}

/// How a connection ended.
#[derive(Debug)]
pub enum End {
    /// Lanner is stopping.
    Drained,
    /// Falco said so.
    Ended,
    Failed(Failure),
}

/// How a stream ended.
enum StreamEnd {
    Ended,
    Stopped,
    Broken(Status),
}

/// What a session tells while it runs.
pub trait Progress {
    /// A server told its version.
    fn answered(&mut self, version: &Version);
    /// There are alerts to be had, or will be: the server did not refuse to be asked.
    fn connected(&mut self);
    /// Alerts came.
    fn received(&mut self);
}

impl Session {
    /// Connects and delivers alerts until the connection ends.
    pub async fn run(&self, progress: &mut impl Progress) -> End {
        let opened = tokio::select! {
            biased;
            () = self.drain.requested() => return End::Drained,
            opened = self.open() => opened,
        };
        let (mut client, met, version) = match opened {
            Ok(opened) => opened,
            Err(failure) => return End::Failed(failure),
        };
        if let Some(version) = &version {
            progress.answered(version);
        }
        let end = match self.method {
            Method::Sub => self.sub(&mut client, progress).await,
            Method::Get => self.get(&mut client, progress).await,
        };
        match end {
            StreamEnd::Ended if self.drain.is_requested() => End::Drained,
            StreamEnd::Ended => End::Ended,
            StreamEnd::Stopped => {
                self.delivery.metrics.stop_gaps.add(1);
                tracing::warn!("stopped in the middle of a stream; alerts that Falco had written to it may be lost");
                End::Drained
            }
            StreamEnd::Broken(status) => End::Failed(match (self.failure(&status, &met), version) {
                (Failure::NotFalco, Some(version)) if version.has_no_grpc() => Failure::Removed(version.text),
                (failure @ Failure::Cut(_), _) => {
                    self.delivery.metrics.gaps.add(1);
                    tracing::warn!("a stream broke; alerts that Falco had written to it may be lost");
                    failure
                }
                (failure, _) => failure,
            }),
        }
    }

    /// Connects and asks for the version, which a server that has the alerts and not the version may not know.
    async fn open(&self) -> Result<(Client, Met, Option<Version>), Failure> {
        let stream = self.connector.connect().await?;
        let met = stream.met();
        let mut client = Client::open(stream, self.connector.encrypts(), self.max_message)
            .await
            .map_err(|error| self.failure(&Status::from_error(error.into()), &met))?;
        match timeout(ANSWER_LIMIT, client.version()).await {
            Ok(Ok(version)) => Ok((client, met, Some(Version::of(&version)))),
            Ok(Err(status)) if status.code() == Code::Unimplemented => Ok((client, met, None)),
            Ok(Err(status)) => Err(self.failure(&status, &met)),
            Err(_) => Err(Failure::Late { what: "no answer of Falco about its version", limit: ANSWER_LIMIT }),
        }
    }

    fn failure(&self, status: &Status, met: &Met) -> Failure {
        Failure::of_call(status, met, self.connector.encrypts())
    }

    /// One stream with a request every interval.
    async fn sub(&self, client: &mut Client, progress: &mut impl Progress) -> StreamEnd {
        let asked = self.delivery.metrics.requests.clone();
        let (mut asking, requests) = Asking::new(self.interval, self.drain.clone(), asked);
        let skipped = client.skipped().clone();
        let stream = {
            // Falco begins its answer with the first alert, which may be hours from now.
            let mut opening = pin!(client.sub(requests));
            let mut asked = 0u64;
            loop {
                tokio::select! {
                    biased;
                    () = self.delivery.over.requested() => return StreamEnd::Stopped,
                    opened = &mut opening => break opened,
                    () = asking.ask() => {
                        asked += 1;
                        // A refusal would have come within an interval.
                        if asked == 2 {
                            progress.connected();
                        }
                    }
                }
            }
        };
        match stream {
            Ok(stream) => {
                progress.connected();
                self.read(stream, Some(&mut asking), &skipped, progress).await
            }
            Err(status) => StreamEnd::Broken(status),
        }
    }

    /// A call every interval.
    async fn get(&self, client: &mut Client, progress: &mut impl Progress) -> StreamEnd {
        let skipped = client.skipped().clone();
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.drain.requested() => return StreamEnd::Ended,
                _ = ticks.tick() => {}
            }
            self.delivery.metrics.requests.add(1);
            let opened = tokio::select! {
                biased;
                () = self.delivery.over.requested() => return StreamEnd::Stopped,
                opened = client.get() => opened,
            };
            match opened {
                Ok(stream) => {
                    progress.connected();
                    match self.read(stream, None, &skipped, progress).await {
                        StreamEnd::Ended => {}
                        end => return end,
                    }
                }
                Err(status) => return StreamEnd::Broken(status),
            }
        }
    }

    /// Delivers what a stream brings, until its end.
    async fn read(
        &self,
        mut stream: Streaming<Bytes>,
        mut asking: Option<&mut Asking>,
        skipped: &Skipped,
        progress: &mut impl Progress,
    ) -> StreamEnd {
        loop {
            let ask = async {
                match &mut asking {
                    Some(asking) => asking.ask().await,
                    None => std::future::pending().await,
                }
            };
            let mut next = tokio::select! {
                biased;
                () = self.delivery.over.requested() => return StreamEnd::Stopped,
                // Before the alerts: they may come without a pause, and the drain is seen here.
                () = ask => continue,
                next = stream.next() => next,
            };
            let (mut batch, mut bytes) = (Vec::new(), 0);
            // What else is here already goes along.
            let end = loop {
                match next {
                    None => break Some(StreamEnd::Ended),
                    Some(Err(status)) => break Some(StreamEnd::Broken(status)),
                    Some(Ok(message)) if message.is_empty() => self.count_empty(skipped.take()),
                    Some(Ok(message)) => {
                        bytes += message.len();
                        batch.push(message);
                    }
                }
                if batch.len() >= BATCH || bytes >= BATCH_BYTES {
                    break None;
                }
                match stream.next().now_or_never() {
                    Some(item) => next = item,
                    None => break None,
                }
            };
            if !batch.is_empty() {
                progress.received();
                if let Err(Stopped) = self.delivery.deliver(batch).await {
                    return StreamEnd::Stopped;
                }
            }
            if let Some(end) = end {
                return end;
            }
        }
    }

    fn count_empty(&self, too_large: bool) {
        let reason = if too_large { "too_large" } else { "empty" };
        tracing::warn!(reason, limit = self.max_message, "Falco sent a message that cannot be taken");
        self.delivery.out.failed(1, reason);
    }
}
