//! `Event`: a log record as a row.
//!
//! Promises: a value is bound, never part of a statement; integers stay integers; a column holds at most [`NAME`] bytes of
//! a value, all of it is in `attributes` and `resource`; a record without an id gets one from all that it is, so that a
//! repetition is the same row.

use crate::file::records;
use lanner_engine::{
    event::{LogGroup, cut, otlp},
    prelude::*,
    semantics::{self, event_names, keys, uid::Digest},
};
use rusqlite::{CachedStatement, Connection, params};
use std::{borrow::Cow, sync::LazyLock};

/// Longest value of an indexed column, in bytes.
pub const NAME: usize = 512;
/// Most terms of a kind.
const TERMS: usize = 64;
/// More alerts than this does no summary stand for; sums stay far from the end of 64 bits.
const FOLDED: i64 = 1_000_000_000;
/// An event that says it happens later than this after it was received gets the time of receipt in sums.
const FUTURE: u64 = 24 * 3_600_000_000_000;

static COUNT: LazyLock<Key> = LazyLock::new(|| Key::intern("lanner.group.count"));
static USER: LazyLock<Key> = LazyLock::new(|| Key::intern("user.name"));

/// A record with what its group says.
#[derive(Clone, Copy)]
pub struct Event<'r> {
    pub group: &'r LogGroup,
    pub record: &'r LogRecord,
}

impl<'r> Event<'r> {
    /// The text of an attribute, of the record first; `None` when it is empty.
    pub fn text(self, key: &Key) -> Option<&'r str> {
        let found = self.record.attrs.get_str(key).or_else(|| self.group.resource.attrs.get_str(key));
        found.filter(|text| !text.is_empty()).map(|text| cut(text, NAME))
    }

    /// Its id.
    pub fn uid(self) -> Cow<'r, str> {
        match self.record.attrs.get_str(&keys::UID) {
            Some(uid) if !uid.is_empty() => Cow::Borrowed(cut(uid, NAME)),
            _ => {
                let alone = Logs::one(self.group.resource.clone(), self.group.scope.clone(), self.record.clone());
                let mut digest = Digest::new("otlp.log");
                digest.part(&otlp::encode_logs(&alone));
                Cow::Owned(digest.finish().to_string())
            }
        }
    }

    /// When it happened, in nanoseconds since 1970; when it was received, where it does not say.
    pub fn time(self) -> u64 {
        match self.record.time_unix_nano {
            0 => self.record.observed_time_unix_nano,
            time => time,
        }
    }

    /// The same for sums over days: not in the future.
    pub fn day_time(self) -> u64 {
        match self.record.observed_time_unix_nano {
            received if received > 0 && self.time() > received.saturating_add(FUTURE) => received,
            _ => self.time(),
        }
    }

    /// How many alerts it stands for: a summary for those that were folded.
    pub fn alerts(self) -> i64 {
        if self.record.event_name == event_names::FALCO_ALERT_SUMMARY {
            return self.record.attrs.get(&COUNT).and_then(Value::as_int).unwrap_or(1).clamp(0, FOLDED);
        }
        i64::from(semantics::is_alert(self.record))
    }

    /// Repository and tag of the container's image.
    pub fn image(self) -> Option<String> {
        let name = self.text(&keys::IMAGE_NAME)?;
        Some(match self.list(&keys::IMAGE_TAGS).next() {
            Some(tag) => format!("{name}:{tag}"),
            None => name.to_owned(),
        })
    }

    /// The texts of a list, or the one text.
    pub fn list(self, key: &Key) -> impl Iterator<Item = &'r str> + use<'r> {
        let found = self.record.attrs.get(key).or_else(|| self.group.resource.attrs.get(key));
        let items = match found {
            Some(Value::Array(items)) => items.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        items.iter().filter_map(Value::as_str).filter(|text| !text.is_empty()).map(|text| cut(text, NAME))
    }

    fn source(self) -> Option<&'r str> {
        self.text(&keys::SOURCE).or_else(|| semantics::is_audit(self.record).then_some("k8s_audit"))
    }

    fn message(self) -> Option<Cow<'r, str>> {
        match &self.record.body {
            Value::Empty => None,
            Value::Text(text) => Some(Cow::Borrowed(text.as_str())),
            other => Some(Cow::Owned(other.to_json())),
        }
    }
}

/// A time or count as SQLite holds it.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// An id as hexadecimal digits; `None` for zeros, which mean that there is none.
pub fn hex(id: &[u8]) -> Option<String> {
    id.iter().any(|byte| *byte != 0).then(|| id.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Attributes as a JSON object.
pub fn json(attributes: &Attributes) -> String {
    let mut out = Vec::new();
    records::attributes(attributes, &mut out);
    // It is made of text.
    String::from_utf8(out).unwrap_or_default()
}

/// The statements of one transaction.
pub struct Inserts<'c> {
    event: CachedStatement<'c>,
    term: CachedStatement<'c>,
}

const EVENT: &str = "INSERT OR IGNORE INTO events
    (uid, time, observed_time, event_name, severity, priority, alerts, rule, source, category, cluster, host, namespace,
     pod, container_id, process, user, message, trace_id, span_id, scope, attributes, resource)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)";
const TERM: &str = "INSERT OR IGNORE INTO event_terms (event_id, kind, term) VALUES (?1, ?2, ?3)";

impl<'c> Inserts<'c> {
    /// Prepares them.
    pub fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self { event: connection.prepare_cached(EVENT)?, term: connection.prepare_cached(TERM)? })
    }

    /// Adds an event. Its number, or `None` when it is there already. `resource` is that of the event, as JSON.
    pub fn insert(
        &mut self,
        connection: &Connection,
        event: Event<'_>,
        resource: &str,
    ) -> rusqlite::Result<Option<i64>> {
        let record = event.record;
        let process = event.text(&keys::EXECUTABLE_NAME);
        let name = Some(record.event_name.as_str()).filter(|name| !name.is_empty()).map(|name| cut(name, NAME));
        let scope = Some(event.group.scope.name.as_str()).filter(|name| !name.is_empty());
        let added = self.event.execute(params![
            event.uid(),
            signed(event.time()),
            signed(record.observed_time_unix_nano),
            name,
            record.severity_number.0,
            semantics::priority(record).map(Priority::lower),
            event.alerts(),
            event.text(&keys::RULE),
            event.source(),
            event.text(&keys::CATEGORY),
            event.text(&keys::CLUSTER_NAME),
            event.text(&keys::HOST_NAME).or_else(|| event.text(&keys::NODE_NAME)),
            event.text(&keys::NAMESPACE_NAME),
            event.text(&keys::POD_NAME),
            super::tally::container_id(event),
            process,
            event.text(&USER),
            event.message(),
            hex(&record.trace_id),
            hex(&record.span_id),
            scope,
            json(&record.attrs),
            resource,
        ])?;
        if added == 0 {
            return Ok(None);
        }
        let id = connection.last_insert_rowid();
        for (kind, key) in [
            ("tag", &keys::TAGS),
            ("category", &keys::CATEGORIES),
            ("tactic", &keys::THREAT_TACTIC_ID),
            ("technique", &keys::THREAT_TECHNIQUE_ID),
            ("technique", &keys::THREAT_SUBTECHNIQUE_ID),
        ] {
            for term in event.list(key).take(TERMS) {
                self.term.execute(params![id, kind, term])?;
            }
        }
        Ok(Some(id))
    }
}
