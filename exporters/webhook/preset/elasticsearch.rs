//! Elasticsearch and OpenSearch: the bulk API. Each event is created under its own id, so sending it again is answered with 409,
//! "is there", and counts as delivered.
//!
//! A reply of 200 has a status for each event: 429 and 5xx are sent again, alone; the rest is the last word about that event.

use crate::{
    falco_event::FalcoEvent,
    http::{Reply, RetryStatuses, Veil, Verdict},
    webhook::shape::{Answer, Frame, Shape, TokenHeader, Unwritable, bounded, bytes_of},
};
use http::header;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use lanner_engine::event::otlp::LogReader;
use serde::Deserialize;
use serde_json::{Map, json};
use std::collections::HashMap;

/// Elasticsearch's own limit of an id, in bytes.
const MAX_ID: usize = 512;

pub struct Elasticsearch {
    pub index: IndexPattern,
}

#[derive(Deserialize)]
struct BulkReply {
    #[serde(default)]
    errors: bool,
    #[serde(default)]
    items: Vec<HashMap<String, Item>>,
}

#[derive(Deserialize)]
struct Item {
    status: u16,
    error: Option<ItemError>,
}

#[derive(Deserialize)]
struct ItemError {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    reason: String,
}

impl Shape for Elasticsearch {
    fn frame(&self) -> Frame {
        Frame {
            content_type: "application/x-ndjson".into(),
            open: "",
            between: "",
            close: "",
            max_records: 500,
            max_bytes: 4 << 20,
        }
    }

    fn token(&self) -> TokenHeader {
        TokenHeader { name: header::AUTHORIZATION, prefix: "ApiKey " }
    }

    fn piece(&self, records: &LogReader<'_>) -> Result<Vec<u8>, Unwritable> {
        let event = FalcoEvent::read(records.lent());
        let mut action = Map::from_iter([("_index".to_owned(), self.index.at(event.time).into())]);
        if (1..=MAX_ID).contains(&event.uid.len()) {
            action.insert("_id".into(), event.uid.into());
        }
        let mut document = bounded(&event, 5 << 20);
        document.insert("@timestamp".into(), event.time_text().map_or_else(|| 0.into(), Into::into));
        let mut piece = bytes_of(&json!({ "create": action }))?;
        piece.push(b'\n');
        piece.extend(bytes_of(&document)?);
        piece.push(b'\n');
        Ok(piece)
    }

    fn reply_limit(&self) -> usize {
        1 << 20
    }

    fn read(&self, reply: &Reply, records: usize, retry: &RetryStatuses, veil: &Veil) -> Answer {
        if !reply.status.is_success() {
            return Answer::All(reply.verdict(retry, veil));
        }
        let items = match serde_json::from_slice::<BulkReply>(&reply.body) {
            Ok(BulkReply { errors: false, .. }) => return Answer::All(Verdict::Delivered),
            Ok(BulkReply { items, .. }) if items.len() == records => items,
            // Ids make a repetition harmless.
            _ => return Answer::All(reply.retry("the reply to a bulk request cannot be read".into())),
        };
        let one = |item: HashMap<String, Item>| match item.into_values().next() {
            Some(item) => verdict(item, reply, retry, veil),
            None => Verdict::Delivered,
        };
        Answer::Each(items.into_iter().map(one).collect())
    }
}

fn verdict(item: Item, reply: &Reply, retry: &RetryStatuses, veil: &Veil) -> Verdict {
    let Item { status, error } = item;
    if (200..300).contains(&status) || status == 409 {
        return Verdict::Delivered;
    }
    let told = error.map(|error| format!("{}: {}", error.kind, error.reason)).unwrap_or_default();
    let reason = veil.peer_text(format!("item status {status}: {told}").as_bytes());
    if retry.0.contains(&status) { reply.retry(reason) } else { Verdict::Reject { reason } }
}

/// The name of an index, in which `%Y` and its likes are the event's date: `falco-%Y.%m.%d`.
///
/// Promise: an event chooses among a bounded number of indices only: a date over a week ago or a day ahead counts as today.
#[derive(Clone, Debug)]
pub struct IndexPattern(String);

/// A text that names no index.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` names no index; write lower-case letters, digits, `-`, `_`, `.` and dates, for example `falco-%Y.%m.%d`"
)]
pub struct InvalidIndex(String);

impl Default for IndexPattern {
    fn default() -> Self {
        Self("falco-%Y.%m.%d".into())
    }
}

impl IndexPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It names no index.
    pub fn parse(text: &str) -> Result<Self, InvalidIndex> {
        let invalid = || InvalidIndex(text.to_owned());
        let name = jiff::fmt::strtime::format(text, &Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC));
        let name = name.map_err(|_| invalid())?;
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        let sound = !name.is_empty() && name.len() <= 255 && name.chars().all(letter) && !name.starts_with(['-', '.']);
        // The parts of a date that repeat within a bounded time; `%s` would be an index for each second.
        let dates = text.split('%').skip(1).all(|part| part.starts_with(['Y', 'y', 'm', 'd', 'j', 'G', 'V', 'F']));
        if sound && dates { Ok(Self(text.to_owned())) } else { Err(invalid()) }
    }

    /// The index of an event of this time, in nanoseconds since 1970.
    pub fn at(&self, time: u64) -> String {
        self.at_now(time, Timestamp::now())
    }

    fn at_now(&self, time: u64, now: Timestamp) -> String {
        let earliest = now.checked_sub((7 * 24).hours()).unwrap_or(now);
        let latest = now.checked_add(24.hours()).unwrap_or(now);
        let time = Timestamp::from_nanosecond(time.into()).ok().filter(|time| (earliest..=latest).contains(time));
        let date = time.unwrap_or(now).to_zoned(TimeZone::UTC);
        // The pattern was tried when it was read.
        jiff::fmt::strtime::format(&self.0, &date).unwrap_or_else(|_| self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: patterns good and bad; events of today, of long ago and of the far future.
    /// Guarantee: bad ones are refused; an event cannot choose an index far from now.
    #[test]
    fn indices_are_bounded() {
        for bad in ["", "Falco", "a b", "-a", "falco-%s", "falco-%H", "a/b", "%Q", "*"] {
            assert!(IndexPattern::parse(bad).is_err(), "{bad}");
        }
        let index = IndexPattern::parse("falco-%Y.%m.%d").unwrap();
        let now: Timestamp = "2025-02-10T09:15:40Z".parse().unwrap();
        let at = |time: &str| {
            let time: Timestamp = time.parse().unwrap();
            index.at_now(u64::try_from(time.as_nanosecond()).unwrap(), now)
        };
        assert_eq!(at("2025-02-09T23:59:59Z"), "falco-2025.02.09");
        assert_eq!(at("1999-01-01T00:00:00Z"), "falco-2025.02.10");
        assert_eq!(at("2199-01-01T00:00:00Z"), "falco-2025.02.10");
        assert_eq!(index.at_now(u64::MAX, now), "falco-2025.02.10");
    }
}
