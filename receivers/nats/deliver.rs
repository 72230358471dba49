//! From messages to the pipelines, and back to the server what became of them.
//!
//! Promises: a message is acknowledged after the pipelines have it and never before; while it waits, the server is told so; what a
//! full pipeline did not take is given back; a message that can never be taken costs no other one, and is counted with its reason
//! once it is where dead letters go.

use super::{
    config::{Decoder, Handling},
    consumer::{ASK_LIMIT, Session},
    message::{Fetched, Verdict},
    metrics::Metrics,
    taken::Taken,
};
use crate::{
    container::Whole,
    formats::{Records, Source},
    otlp::json,
};
use bytes::{Bytes, BytesMut};
use lanner_engine::{
    event::{
        OtlpRequest,
        otlp::{Salvaged, salvage_logs},
    },
    prelude::*,
    semantics::Reasons,
};
use lanner_nats::{
    Rpc,
    jetstream::{self, Outgoing},
};
use parking_lot::Mutex;
use std::{
    pin::pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::{Instant, interval_at};

/// The server is told so many times within its wait that a message is still waiting.
const SIGNS_OF_LIFE: u32 = 3;
/// How long until a message comes again whose dead letter could not be published.
const BURY_AGAIN: Duration = Duration::from_secs(5);
/// Largest OTLP request in protobuf that is made of one in JSON.
const LARGEST_REQUEST: usize = 64 << 20;

/// Hands messages over.
pub struct Delivery {
    pub handling: Handling,
    pub metrics: Metrics,
    pub out: Consumer,
    /// Of plain records.
    pub source: Source,
    pub taken: Mutex<Taken>,
}

/// What messages became.
enum Made {
    Otlp { requests: Vec<OtlpRequest> },
    Records(Box<Records>),
}

/// The pipelines take nothing any more.
#[derive(Debug)]
pub struct Stopped;

impl Delivery {
    /// Delivers messages and answers for each of them.
    ///
    /// # Errors
    /// Lanner is stopping; what was not taken was given back.
    pub async fn deliver(&self, rpc: &Rpc, session: &Session<'_>, messages: Vec<Fetched>) -> Result<(), Stopped> {
        self.metrics.redelivered.add(messages.iter().filter(|message| message.delivered > 1).count() as u64);
        let (again, messages) = {
            let taken = self.taken.lock();
            messages.into_iter().partition::<Vec<_>, _>(|message| taken.has(message))
        };
        self.metrics.repeated.add(again.len() as u64);
        session.answer(&again, Verdict::Ack).await;
        // Groups that go together, the next one last.
        let mut groups = vec![messages];
        while let Some(group) = groups.pop() {
            let (made, mut good, unusable) = self.decode(group);
            self.bury(rpc, session, unusable).await;
            if good.is_empty() {
                continue;
            }
            match self.hand_over(session, made, &good).await {
                Ok(()) => self.acknowledge(session, &good).await,
                Err(Refused::Busy { retry_after, .. }) => {
                    self.metrics.busy.add(good.len() as u64);
                    // Drawn, so that not everything comes again at once.
                    let after = retry_after.mul_f64(1.0 + fastrand::f64());
                    session.answer(&good, Verdict::Nak(after)).await;
                }
                Err(Refused::Draining) => {
                    let rest: Vec<Fetched> = groups.into_iter().flatten().chain(good).collect();
                    self.metrics.stopping.add(rest.len() as u64);
                    session.answer(&rest, Verdict::Nak(Duration::ZERO)).await;
                    return Err(Stopped);
                }
                Err(Refused::Invalid(_)) if good.len() > 1 => {
                    let second = good.split_off(good.len() / 2);
                    groups.extend([second, good]);
                }
                Err(Refused::Invalid(why)) => self.hand_over_rest(rpc, session, good, &why).await,
            }
        }
        Ok(())
    }

    async fn acknowledge(&self, session: &Session<'_>, messages: &[Fetched]) {
        messages.iter().for_each(|message| self.taken.lock().add(message));
        session.answer(messages, Verdict::Ack).await;
    }

    /// What the messages become, those that are in it, and those that cannot be used with the reason.
    fn decode(&self, messages: Vec<Fetched>) -> (Made, Vec<Fetched>, Vec<(Fetched, &'static str)>) {
        let mut made = match self.handling.decoder {
            Decoder::Line(_) => Made::Records(Box::default()),
            Decoder::OtlpProto | Decoder::OtlpJson => Made::Otlp { requests: Vec::new() },
        };
        let (mut good, mut unusable) = (Vec::with_capacity(messages.len()), Vec::new());
        for message in messages {
            let limit = u64::from(self.handling.max_deliver);
            let added =
                if limit > 0 && message.delivered > limit { Err("max_deliver") } else { self.add(&message, &mut made) };
            match added {
                Ok(()) => good.push(message),
                Err(reason) => unusable.push((message, reason)),
            }
        }
        (made, good, unusable)
    }

    fn add(&self, message: &Fetched, made: &mut Made) -> Result<(), &'static str> {
        let parse = |bytes: Bytes| OtlpRequest::parse(Signal::Logs, bytes).map_err(|_| "malformed");
        match (&self.handling.decoder, made) {
            (Decoder::Line(mapper), Made::Records(records)) => {
                let before = records.skipped.total();
                let line = Whole::plain(message.payload.clone(), message.sequence);
                mapper.map(&self.source, &line, now(), records);
                if records.skipped.total() > before {
                    // Taken out again: it is counted when it is buried.
                    let reason = records.skipped.iter().last().map_or("unusable", |(reason, _)| reason);
                    records.skipped = Reasons::default();
                    return Err(reason);
                }
            }
            (Decoder::OtlpProto, Made::Otlp { requests }) => requests.push(parse(message.payload.clone())?),
            (Decoder::OtlpJson, Made::Otlp { requests }) => {
                let protobuf = json::to_protobuf(Signal::Logs, &message.payload, LARGEST_REQUEST);
                requests.push(parse(protobuf.map_err(|_| "malformed")?.into())?);
            }
            // The two are made for each other.
            (Decoder::Line(_), Made::Otlp { .. }) | (_, Made::Records(_)) => {}
        }
        Ok(())
    }

    /// Waits until the pipelines have it, telling the server that it takes its time.
    async fn hand_over(&self, session: &Session<'_>, made: Made, messages: &[Fetched]) -> Result<(), Refused> {
        match made {
            Made::Otlp { requests } => self.consume(session, Batch::otlp(join(requests)), messages).await,
            Made::Records(records) => {
                let Records { logs, degraded, unusable, .. } = *records;
                self.consume(session, Batch::logs(logs), messages).await?;
                degraded.iter().for_each(|(reason, count)| self.metrics.degraded.add(reason, count));
                unusable.iter().for_each(|(reason, count)| self.metrics.unusable.add(reason, count));
                Ok(())
            }
        }
    }

    async fn consume(&self, session: &Session<'_>, batch: Batch, messages: &[Fetched]) -> Result<(), Refused> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut taken = pin!(self.out.consume_within(batch, self.handling.hold));
        let period = (session.ack_wait / SIGNS_OF_LIFE).max(Duration::from_millis(10));
        let mut ticks = interval_at(Instant::now() + period, period);
        loop {
            tokio::select! {
                biased;
                taken = &mut taken => return taken,
                _ = ticks.tick() => session.still_waiting(messages).await,
            }
        }
    }

    /// Takes what can be read of a request that the pipelines refused as a whole.
    async fn hand_over_rest(&self, rpc: &Rpc, session: &Session<'_>, messages: Vec<Fetched>, why: &str) {
        let mut unusable = Vec::new();
        for message in messages {
            let salvaged = match self.handling.decoder {
                Decoder::Line(_) => None,
                Decoder::OtlpProto | Decoder::OtlpJson => match self.decode(vec![message.clone()]).0 {
                    Made::Otlp { requests } => salvage_logs(&join(requests).bytes).ok().flatten(),
                    Made::Records(_) => None,
                },
            };
            let Some(Salvaged { request, rejected, .. }) = salvaged.filter(|left| left.request.items > 0) else {
                tracing::warn!(sequence = message.sequence, reason = why, "the pipelines refuse a message for good");
                unusable.push((message, "invalid"));
                continue;
            };
            match self.consume(session, Batch::otlp(request), std::slice::from_ref(&message)).await {
                Ok(()) => {
                    self.out.failed(rejected as u64, "malformed");
                    self.acknowledge(session, std::slice::from_ref(&message)).await;
                }
                Err(Refused::Invalid(_)) => unusable.push((message, "invalid")),
                Err(Refused::Busy { .. } | Refused::Draining) => {
                    session.answer([&message], Verdict::Nak(Duration::ZERO)).await;
                }
            }
        }
        self.bury(rpc, session, unusable).await;
    }

    /// Brings messages to where dead letters go, counts them, and has them never delivered again.
    async fn bury(&self, rpc: &Rpc, session: &Session<'_>, messages: Vec<(Fetched, &'static str)>) {
        let Some((first, reason)) = messages.first() else { return };
        let (count, place) = (messages.len(), self.handling.dead_letter_subject.as_deref().unwrap_or("nowhere else"));
        tracing::warn!(count, reason, sequence = first.sequence, dead_letters = place, "messages are given up");
        for (message, reason) in messages {
            if let Some(subject) = &self.handling.dead_letter_subject {
                let stream = String::from_utf8_lossy(&self.source.identity).into_owned();
                let letter = Outgoing {
                    subject: subject.clone(),
                    payload: message.payload.clone(),
                    id: Some(format!("{stream}.{}", message.sequence)),
                    headers: vec![
                        ("Lanner-Reason", reason.to_owned()),
                        ("Lanner-Stream", stream),
                        ("Lanner-Subject", message.subject.clone()),
                        ("Lanner-Sequence", message.sequence.to_string()),
                    ],
                };
                if let Err(failure) = jetstream::publish(rpc, &letter, ASK_LIMIT).await {
                    tracing::warn!(subject, %failure, "a dead letter cannot be published; trying on");
                    session.answer([&message], Verdict::Nak(BURY_AGAIN)).await;
                    continue;
                }
                self.metrics.dead_letters.add(1);
            }
            self.out.failed(1, reason);
            session.answer([&message], Verdict::Term).await;
        }
    }
}

/// Requests one behind the other are one request.
fn join(requests: Vec<OtlpRequest>) -> OtlpRequest {
    if let [only] = &requests[..] {
        return only.clone();
    }
    let items = requests.iter().map(|request| request.items).sum();
    let mut bytes = BytesMut::with_capacity(requests.iter().map(|request| request.bytes.len()).sum());
    requests.iter().for_each(|request| bytes.extend_from_slice(&request.bytes));
    OtlpRequest { signal: Signal::Logs, bytes: bytes.freeze(), items }
}

/// Nanoseconds since 1970; 0 when the clock stands before it.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
