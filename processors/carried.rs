//! What `falco_parse` and `k8s_audit_parse` have in common: finding events in the records of other agents.
//!
//! Promises
//! - A record that is no such event passes byte for byte. Untouched OTLP is looked at as it lies there: without the words
//!   that every event has it passes whole; otherwise only records with these words are decoded, and the others stay in the
//!   request they came in.
//! - An event that was found leaves in a batch of its own behind the rest of its request; order is kept in both. Decoded
//!   batches keep the order of all records.
//! - What has the keys of an event and cannot be read passes as it is and is counted as `damaged`.

use lanner_engine::{
    event::otlp::extract_logs,
    prelude::*,
    semantics::carried::{self, Event, Form, Place, Reading, Spot},
};
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// The reason under which a record counts that has the keys of an event and cannot be read.
const DAMAGED: &str = "damaged";

/// A kind of events.
pub trait Events: Send + Sync + 'static {
    /// Words of which every event has all, whatever form it is carried in.
    fn words(&self) -> &[memchr::memmem::Finder<'static>];

    /// Reads what was found in a record.
    fn read(&self, upstream: &Resource, form: &Form<'_>, observed_unix_nano: u64) -> Reading<Event>;

    /// Tells the keys of an event from those that an agent added.
    fn is_key(name: &str) -> bool;
}

/// The transform for one kind of events.
pub struct Parse<E> {
    events: E,
    /// Where to look, in this order.
    places: Vec<Place>,
    scope: Arc<Scope>,
}

/// What a batch gave.
#[derive(Default)]
struct Found {
    logs: Logs,
    degraded: Vec<(&'static str, usize)>,
}

impl<E: Events> Parse<E> {
    pub fn new(events: E, places: Vec<Place>, scope: Arc<Scope>) -> Self {
        Self { events, places, scope }
    }

    fn has_words(&self, bytes: &[u8]) -> bool {
        self.events.words().iter().all(|word| word.find(bytes).is_some())
    }

    /// Whether a decoded record is worth a closer look.
    fn is_candidate(&self, body: &Value) -> bool {
        match body {
            Value::Text(text) => self.has_words(text.as_bytes()),
            Value::Bytes(bytes) => self.has_words(bytes),
            Value::Map(_) => true,
            _ => false,
        }
    }

    /// Takes the event out of a record. The record is unchanged when there is none.
    fn take(&self, upstream: &Arc<Resource>, record: &mut LogRecord, found: &mut Found) -> bool {
        let observed = match record.observed_time_unix_nano {
            0 => now(),
            known => known,
        };
        let body = std::mem::take(&mut record.body);
        let mut damaged = false;
        let event = self.find(upstream, &body, observed, &mut damaged).map(|(event, place)| (event, place, None));
        let event = event.or_else(|| {
            let map = carried::unwrapped(&body, &self.places)?;
            let (event, place) = self.find(upstream, &map, observed, &mut damaged)?;
            Some((event, place, Some(map)))
        });
        let Some((event, place, map)) = event else {
            record.body = body;
            if damaged {
                found.degrade(DAMAGED, 1);
            }
            return false;
        };
        event.degraded.iter().for_each(|(reason, count)| found.degrade(reason, count));
        let body = map.as_ref().unwrap_or(&body);
        let spot = Spot { body, place, places: &self.places, is_key: E::is_key };
        let (resource, record) = carried::settle(event, spot, upstream, record);
        found.logs.push(resource, Arc::clone(&self.scope), record);
        true
    }

    fn find(&self, upstream: &Resource, body: &Value, observed: u64, damaged: &mut bool) -> Option<(Event, &Place)> {
        self.places.iter().find_map(|place| match self.events.read(upstream, &place.look(body)?, observed) {
            Reading::Event(event) => Some((event, place)),
            Reading::Damaged => {
                *damaged = true;
                None
            }
            Reading::Foreign => None,
        })
    }

    fn decoded(&self, batch: Batch, out: &mut Emitter<'_>) {
        if !batch.records().any(|record| self.is_candidate(&record.body)) {
            return out.emit(batch);
        }
        let logs = match batch.into_logs() {
            Ok(logs) => logs,
            Err(batch) => return out.emit(batch),
        };
        let mut found = Found::default();
        for group in logs.groups {
            for mut record in group.records {
                if !(self.is_candidate(&record.body) && self.take(&group.resource, &mut record, &mut found)) {
                    found.logs.push(Arc::clone(&group.resource), Arc::clone(&group.scope), record);
                }
            }
        }
        found.emit(out);
    }
}

impl<E: Events> Transform for Parse<E> {
    fn apply(&self, batch: Batch, out: &mut Emitter<'_>) {
        let Some(request) = batch.as_otlp() else { return self.decoded(batch, out) };
        if !self.has_words(&request.bytes) {
            return out.emit(batch);
        }
        let mut found = Found::default();
        let candidate = |bytes: &[u8]| self.has_words(bytes);
        match extract_logs(request, candidate, |upstream, record| self.take(upstream, record, &mut found)) {
            Ok(None) => out.emit(batch),
            Ok(Some(left)) => out.emit(Batch::otlp(left)),
            // Whoever must read the records answers for what is no request.
            Err(_) => return out.emit(batch),
        }
        found.emit(out);
    }

    /// Looks at the bytes of untouched OTLP itself.
    fn reads_records(&self) -> bool {
        false
    }
}

impl Found {
    fn degrade(&mut self, reason: &'static str, count: usize) {
        match self.degraded.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, total)) => *total += count,
            None => self.degraded.push((reason, count)),
        }
    }

    fn emit(self, out: &mut Emitter<'_>) {
        out.emit(Batch::logs(self.logs));
        self.degraded.into_iter().for_each(|(reason, count)| out.degraded(count, reason));
    }
}

/// Nanoseconds since 1970; 0 when the clock stands before it.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Where to look unless the configuration says otherwise: the body, and the keys under which container runtimes, Fluent Bit
/// and journald put a line.
pub fn default_places() -> Vec<String> {
    ["body", "body.log", "body.message", "body.MESSAGE"].map(str::to_owned).into()
}

/// Checks the places, reporting every problem.
pub fn places(from: &[String], cx: &mut PlanCx<'_>) -> Option<Vec<Place>> {
    let mut places = Vec::with_capacity(from.len());
    for (index, text) in from.iter().enumerate() {
        match text.parse::<Place>() {
            Ok(place) => places.push(place),
            Err(error) => cx.error(&format!("from[{index}]"), error),
        }
    }
    (places.len() == from.len()).then_some(places)
}
