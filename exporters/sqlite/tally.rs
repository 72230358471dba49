//! `Tally`: what the events of one transaction add to the counts by container and by day.
//!
//! Promises: an event counts once, in the transaction that adds it, so that counts and events agree whatever happens; a
//! row is written once for each container, and each rule and entity of a day, not for each event.

use super::event::{Event, NAME, signed};
use jiff::{Timestamp, tz::TimeZone};
use lanner_engine::{
    event::cut,
    prelude::*,
    semantics::{self, event_names, keys},
};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// Falco shortens container ids to this; the long and the short form are the same container.
const CONTAINER_ID: usize = 12;

/// The id of the event's container, in its short form.
pub fn container_id(event: Event<'_>) -> Option<&str> {
    event.text(&keys::CONTAINER_ID).map(|id| cut(id, CONTAINER_ID))
}

/// First and last time of something, in nanoseconds since 1970, and the last event of it.
#[derive(Clone, Copy)]
struct Seen {
    first: u64,
    last: u64,
    event: i64,
}

impl Seen {
    fn at(time: u64, event: i64) -> Self {
        Self { first: time, last: time, event }
    }

    fn and(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last), event: self.event.max(other.event) }
    }
}

/// What is added to a container.
struct Container<'r> {
    /// Its newest event.
    event: Event<'r>,
    seen: Seen,
    events: i64,
    /// Alerts by priority, least urgent first, then those without one.
    alerts: [i64; Priority::ALL.len() + 1],
}

/// The key of a row of the profile: day, rule, kind and name of the entity.
type Day<'r> = (String, &'r str, &'static str, String);

struct Profile<'r> {
    event: Event<'r>,
    seen: Seen,
    alerts: i64,
    severity: u8,
}

/// The sums of one transaction.
#[derive(Default)]
pub struct Tally<'r> {
    containers: BTreeMap<&'r str, Container<'r>>,
    profile: BTreeMap<Day<'r>, Profile<'r>>,
}

impl<'r> Tally<'r> {
    /// Counts an event that was added under this number.
    pub fn add(&mut self, event: Event<'r>, id: i64) {
        // A report tells of events that are counted already.
        if event.record.event_name == event_names::LANNER_INCIDENT {
            return;
        }
        let (seen, alerts) = (Seen::at(event.day_time(), id), event.alerts());
        if let Some(container) = container_id(event) {
            let empty = Container { event, seen, events: 0, alerts: Default::default() };
            let sums = self.containers.entry(container).or_insert(empty);
            let slot = semantics::priority(event.record).map_or(Priority::ALL.len(), |priority| priority as usize);
            (sums.event, sums.seen, sums.events) = (event, sums.seen.and(seen), sums.events + 1);
            if let Some(sum) = sums.alerts.get_mut(slot) {
                *sum += alerts;
            }
        }
        if alerts > 0 {
            let (kind, entity) = entity(event);
            let rule = event.text(&keys::RULE).unwrap_or_default();
            let empty = Profile { event, seen, alerts: 0, severity: 0 };
            let sums = self.profile.entry((day(event.day_time()), rule, kind, entity)).or_insert(empty);
            (sums.event, sums.seen, sums.alerts) = (event, sums.seen.and(seen), sums.alerts + alerts);
            sums.severity = sums.severity.max(event.record.severity_number.0);
        }
    }

    /// Writes the sums.
    pub fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut upsert = connection.prepare_cached(CONTAINER)?;
        for (id, sums) in &self.containers {
            let event = sums.event;
            let [debug, informational, notice, warning, error, critical, alert, emergency, unspecified] = sums.alerts;
            upsert.execute(params![
                id,
                event.text(&keys::CONTAINER_ID),
                event.text(&keys::CONTAINER_NAME),
                event.image(),
                event.list(&keys::IMAGE_DIGESTS).next(),
                event.text(&keys::CONTAINER_RUNTIME),
                event.text(&keys::CLUSTER_NAME),
                event.text(&keys::HOST_NAME),
                event.text(&keys::NAMESPACE_NAME),
                event.text(&keys::POD_NAME),
                event.text(&keys::POD_UID),
                signed(sums.seen.first),
                signed(sums.seen.last),
                sums.events,
                sums.alerts.iter().sum::<i64>(),
                debug,
                informational,
                notice,
                warning,
                error,
                critical,
                alert,
                emergency,
                unspecified,
                sums.seen.event,
            ])?;
        }
        let mut upsert = connection.prepare_cached(PROFILE)?;
        for ((day, rule, kind, entity), sums) in &self.profile {
            upsert.execute(params![
                day,
                rule,
                kind,
                entity,
                sums.event.text(&keys::NAMESPACE_NAME),
                sums.event.image(),
                sums.alerts,
                sums.severity,
                signed(sums.seen.first),
                signed(sums.seen.last),
                sums.seen.event,
            ])?;
        }
        Ok(())
    }
}

/// What an alert happened to: its container, else its pod, else its host, else nothing.
fn entity(event: Event<'_>) -> (&'static str, String) {
    if let Some(container) = container_id(event) {
        return ("container", container.to_owned());
    }
    if let Some((namespace, pod)) = event.text(&keys::NAMESPACE_NAME).zip(event.text(&keys::POD_NAME)) {
        return ("pod", cut(&format!("{namespace}/{pod}"), NAME).to_owned());
    }
    match event.text(&keys::HOST_NAME) {
        Some(host) => ("host", host.to_owned()),
        None => ("none", String::new()),
    }
}

/// The day of a time, in UTC, as `2026-11-22`.
fn day(time: u64) -> String {
    let time = Timestamp::from_nanosecond(time.into()).unwrap_or_default();
    time.to_zoned(TimeZone::UTC).date().to_string()
}

const CONTAINER: &str = "INSERT INTO containers
    (id, full_id, name, image, image_digest, runtime, cluster, host, namespace, pod, pod_uid, first_seen, last_seen,
     events, alerts, debug, informational, notice, warning, error, critical, alert, emergency, unspecified, last_event)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
     ?24, ?25)
    ON CONFLICT (id) DO UPDATE SET
     full_id = CASE WHEN length(excluded.full_id) > length(full_id) THEN excluded.full_id ELSE full_id END,
     name = coalesce(excluded.name, name), image = coalesce(excluded.image, image),
     image_digest = coalesce(excluded.image_digest, image_digest), runtime = coalesce(excluded.runtime, runtime),
     cluster = coalesce(excluded.cluster, cluster), host = coalesce(excluded.host, host),
     namespace = coalesce(excluded.namespace, namespace), pod = coalesce(excluded.pod, pod),
     pod_uid = coalesce(excluded.pod_uid, pod_uid),
     first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen),
     events = events + excluded.events, alerts = alerts + excluded.alerts, debug = debug + excluded.debug,
     informational = informational + excluded.informational, notice = notice + excluded.notice,
     warning = warning + excluded.warning, error = error + excluded.error, critical = critical + excluded.critical,
     alert = alert + excluded.alert, emergency = emergency + excluded.emergency,
     unspecified = unspecified + excluded.unspecified, last_event = max(last_event, excluded.last_event)";

const PROFILE: &str = "INSERT INTO profile
    (day, rule, entity_kind, entity, namespace, image, alerts, severity, first_seen, last_seen, last_event)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (day, rule, entity_kind, entity) DO UPDATE SET
     namespace = coalesce(excluded.namespace, namespace), image = coalesce(excluded.image, image),
     alerts = alerts + excluded.alerts, severity = max(severity, excluded.severity),
     first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen),
     last_event = max(last_event, excluded.last_event)";
