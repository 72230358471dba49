//! `Shape`: how records become the bodies that a sink takes, and how its answers are read.
//!
//! A record is written as a *piece*; pieces are put together by a [`Frame`], as many as its limits allow. So a body can be
//! split between any two records, whatever the format.
//!
//! Promise: a piece is data of the format, whatever the record says; it never ends a string, a line or the piece.

use crate::{
    falco_event::FalcoEvent,
    http::{REPLY_LIMIT, Reply, RetryStatuses, Veil, Verdict},
};
use bytes::Bytes;
use http::{HeaderName, header};
use lanner_engine::event::otlp::{DecodeError, LogReader};
use serde_json::{Map, Value as Json};

/// A record, written.
pub struct Piece<'r> {
    /// The number of the record in the request.
    pub item: usize,
    /// The record's `log.record.uid`; empty when it has none.
    pub uid: &'r str,
    pub bytes: Bytes,
}

/// What is around and between the pieces of a body.
#[derive(Clone, Debug)]
pub struct Frame {
    pub content_type: String,
    pub open: &'static str,
    pub between: &'static str,
    pub close: &'static str,
    /// Most records of a body.
    pub max_records: usize,
    /// No record is added to a body of more bytes than this; a single one may be larger.
    pub max_bytes: usize,
}

impl Frame {
    /// One record in a body.
    pub const fn single(content_type: String) -> Self {
        Self { content_type, open: "", between: "", close: "", max_records: 1, max_bytes: 0 }
    }

    /// Puts pieces together.
    pub fn body(&self, pieces: &[Piece<'_>]) -> Bytes {
        if let ([piece], "", "") = (pieces, self.open, self.close) {
            return piece.bytes.clone();
        }
        let mut body = self.open.as_bytes().to_vec();
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                body.extend_from_slice(self.between.as_bytes());
            }
            body.extend_from_slice(&piece.bytes);
        }
        body.extend_from_slice(self.close.as_bytes());
        body.into()
    }
}

/// What an answer says about the records of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The same about all. A refusal of several says nothing about each: the sink may have taken the others, or none.
    All(Verdict),
    /// About each, in order.
    Each(Vec<Verdict>),
    /// Those in front of number `at`, which exists, were taken, that one is bad, and those behind it were not looked at.
    BadAt { at: usize, reason: String },
}

/// How a token goes into a request.
pub struct TokenHeader {
    pub name: HeaderName,
    /// In front of the token.
    pub prefix: &'static str,
}

/// A record that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unwritable(pub String);

impl From<DecodeError> for Unwritable {
    fn from(error: DecodeError) -> Self {
        Self(error.to_string())
    }
}

/// A format with its rules.
pub trait Shape: Send + Sync {
    fn frame(&self) -> Frame;

    /// Writes the piece of the current record.
    ///
    /// # Errors
    /// The record cannot be written; it is rejected.
    fn piece(&self, records: &LogReader<'_>) -> Result<Vec<u8>, Unwritable>;

    /// The header for `token`.
    fn token(&self) -> TokenHeader {
        TokenHeader { name: header::AUTHORIZATION, prefix: "Bearer " }
    }

    /// How much of a reply is read.
    fn reply_limit(&self) -> usize {
        REPLY_LIMIT
    }

    /// What an answer to a body of so many records says.
    fn read(&self, reply: &Reply, _records: usize, retry: &RetryStatuses, veil: &Veil) -> Answer {
        Answer::All(reply.verdict(retry, veil))
    }

    /// How many values that are not there were written since the last call.
    fn take_undefined(&self) -> u64 {
        0
    }

    /// Whether a body has a header that lets the sink recognise a repetition.
    fn has_key(&self) -> bool {
        false
    }
}

/// The event as JSON of at most `max_bytes`: first long texts are cut, then the output fields go, with a note.
pub fn bounded(event: &FalcoEvent<'_>, max_bytes: usize) -> Map<String, Json> {
    /// Texts are cut to this many bytes, the second time harder.
    const CUTS: [usize; 2] = [8192, 512];
    let mut json = event.to_json();
    for limit in CUTS {
        if length(&json) <= max_bytes {
            return json;
        }
        json.values_mut().for_each(|value| cut_texts(value, limit));
    }
    if length(&json) > max_bytes {
        json.insert("output_fields".into(), serde_json::json!({ "lanner.dropped_fields": event.fields.len() }));
        json.remove("tags");
    }
    json
}

fn length(json: &Map<String, Json>) -> usize {
    serde_json::to_vec(json).map_or(usize::MAX, |bytes| bytes.len())
}

fn cut_texts(value: &mut Json, limit: usize) {
    match value {
        Json::String(text) if text.len() > limit => {
            let kept = lanner_engine::event::cut(text, limit).len();
            text.truncate(kept);
            text.push('…');
        }
        Json::Array(items) => items.iter_mut().for_each(|item| cut_texts(item, limit)),
        Json::Object(fields) => fields.values_mut().for_each(|field| cut_texts(field, limit)),
        _ => {}
    }
}

/// JSON of a value that holds nothing but text keys.
pub fn bytes_of(json: &impl serde::Serialize) -> Result<Vec<u8>, Unwritable> {
    /// Most events need no more.
    const USUAL: usize = 1 << 10;
    let mut bytes = Vec::with_capacity(USUAL);
    serde_json::to_writer(&mut bytes, json).map_err(|error| Unwritable(error.to_string()))?;
    Ok(bytes)
}
