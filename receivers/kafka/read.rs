//! From messages to batches.
//!
//! Promises
//! - What one message holds never keeps another from being read: a message that is no event of the chosen encoding is counted
//!   with its reason and passed.
//! - OTLP in protobuf stays the bytes that it is; several messages become one request.
//! - The id of a plain record is made of topic, partition and offset: the same whenever the message is read again.

use super::check::{Plan, Reading};
use crate::{
    container::Whole,
    formats::{Records, Source},
    otlp::json::to_protobuf,
};
use bytes::{Bytes, BytesMut};
use lanner_engine::{event::OtlpRequest, prelude::*, semantics::Reasons};
use std::time::{SystemTime, UNIX_EPOCH};

/// JSON may take more room as protobuf than as text.
const GROWTH: usize = 2;

/// A message that was fetched.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// When it was written, in nanoseconds since 1970; 0 is unknown.
    pub time: u64,
    pub payload: Bytes,
}

/// What messages became.
#[derive(Default)]
pub struct Read {
    /// At most one of each signal.
    pub batches: Vec<Batch>,
    /// Messages that nothing can be made of, by reason.
    pub poison: Reasons,
    /// Oddities of events that were kept.
    pub degraded: Reasons,
    /// What is no event and was kept as a plain record.
    pub unusable: Reasons,
}

/// Reads messages in order.
pub fn read(plan: &Plan, messages: &[Fetched]) -> Read {
    let (mut records, mut read) = (Records::default(), Read::default());
    let mut requests: [Option<Merged>; 3] = [None, None, None];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    for message in messages {
        // A message without a value marks a deletion and holds nothing.
        if message.payload.is_empty() {
            continue;
        }
        if message.payload.len() > plan.max_message {
            read.poison.add("too_large");
            continue;
        }
        let Some((_, reading)) = plan.topics.get(&message.topic) else { continue };
        let request = match reading {
            Reading::Line => {
                line(plan, message, now, &mut records);
                continue;
            }
            Reading::OtlpProto(signal) => OtlpRequest::parse(*signal, message.payload.clone()).ok(),
            Reading::OtlpJson(signal) => to_protobuf(*signal, &message.payload, GROWTH * plan.max_message)
                .ok()
                .and_then(|bytes| OtlpRequest::parse(*signal, bytes.into()).ok()),
        };
        match request {
            None => read.poison.add("malformed"),
            Some(request) => merge(request, &mut requests),
        }
    }
    let Records { logs, skipped, degraded, unusable, .. } = records;
    skipped.iter().for_each(|(reason, count)| read.poison.add_many(reason, count));
    (read.degraded, read.unusable) = (degraded, unusable);
    if !logs.is_empty() {
        read.batches.push(Batch::logs(logs));
    }
    let requests = requests.into_iter().flatten().filter(|merged| merged.items > 0).map(Merged::into_batch);
    read.batches.extend(requests);
    read
}

fn line(plan: &Plan, message: &Fetched, now: u64, records: &mut Records) {
    let identity = format!("{}/{}", message.topic, message.partition).into_bytes();
    let source = Source { identity, attrs: Vec::new() };
    let at = u64::try_from(message.offset).unwrap_or(0);
    let time = if plan.stamp { message.time } else { 0 };
    plan.mapper.map(&source, &Whole { time, ..Whole::plain(message.payload.clone(), at) }, now, records);
}

/// Requests of one signal, one behind the other: OTLP requests merge by concatenation.
struct Merged {
    signal: Signal,
    items: usize,
    first: Bytes,
    more: BytesMut,
}

impl Merged {
    fn into_batch(self) -> Batch {
        let bytes = if self.more.is_empty() { self.first } else { self.more.freeze() };
        Batch::otlp(OtlpRequest { signal: self.signal, bytes, items: self.items })
    }
}

fn merge(request: OtlpRequest, requests: &mut [Option<Merged>; 3]) {
    let [logs, metrics, traces] = requests;
    let place = match request.signal {
        Signal::Logs => logs,
        Signal::Metrics => metrics,
        Signal::Traces => traces,
    };
    match place {
        None => {
            let OtlpRequest { signal, bytes, items } = request;
            *place = Some(Merged { signal, items, first: bytes, more: BytesMut::new() });
        }
        Some(merged) => {
            if merged.more.is_empty() {
                merged.more.extend_from_slice(&merged.first);
            }
            merged.more.extend_from_slice(&request.bytes);
            merged.items += request.items;
        }
    }
}
