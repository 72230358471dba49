//! A message of Kafka, and what a repetition of it can be recognised by.
//!
//! Promise: the id follows from what the message holds, so that it is the same whenever the message is written again.

use bytes::Bytes;
use lanner_engine::{
    event::{OtlpRequest, otlp},
    prelude::*,
    semantics::keys,
};
use std::sync::Arc;

/// A message, and the items of the request that it holds.
#[derive(Clone, Debug)]
pub struct Message {
    pub key: Option<Arc<str>>,
    pub value: Bytes,
    pub id: Id,
    pub items: Vec<usize>,
    /// What it was written from, where it can be cut; Falco's JSON holds one record.
    pub part: Option<OtlpRequest>,
}

/// What a repetition of a message can be recognised by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// The id of the one record in it.
    Record(String),
    /// A digest of what it holds.
    Digest(String),
}

impl Id {
    /// Name and value of the header.
    pub fn header(&self) -> (&'static str, &str) {
        match self {
            Self::Record(id) => (keys::UID.as_str(), id),
            Self::Digest(id) => ("lanner.message.id", id),
        }
    }

    /// Of a message that holds this record as `value`.
    pub fn of_record(record: &LogRecord, value: &[u8]) -> Self {
        Self::own(record).unwrap_or_else(|| Self::digest(value))
    }

    /// Of a message that holds this part of a request as `value`.
    pub fn of_part(part: &OtlpRequest, value: &[u8]) -> Self {
        let single = part.signal == Signal::Logs && part.items == 1;
        let logs = single.then(|| otlp::decode_logs(&part.bytes).ok()).flatten();
        let own = logs.and_then(|logs| logs.records().next().and_then(Self::own));
        own.unwrap_or_else(|| Self::digest(value))
    }

    fn own(record: &LogRecord) -> Option<Self> {
        record.attrs.get_str(&keys::UID).map(|id| Self::Record(id.to_owned()))
    }

    fn digest(value: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, value);
        Self::Digest(digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }
}
