//! What fires: per label set the newest alert.

use super::alerts::Alert;
use jiff::Timestamp;
use lanner_engine::{
    prelude::*,
    telemetry::{Counter, Gauge},
};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, hash_map::Entry};

/// Most alerts that are sent again until they end.
pub const MAX_FIRING: usize = 10_000;

type Labels = BTreeMap<String, String>;

/// The alerts of a request, one for each label set, with the records they were made from.
#[derive(Default)]
pub struct Folded {
    places: HashMap<Labels, usize>,
    alerts: Vec<(Alert, Vec<usize>)>,
}

impl Folded {
    /// Adds the alert of a record; annotations are those of the last, the start is that of the first.
    pub fn add(&mut self, item: usize, alert: Alert) {
        match self.places.get(&alert.labels).and_then(|place| self.alerts.get_mut(*place)) {
            Some((known, items)) => {
                *known = joined(known, alert);
                items.push(item);
            }
            None => {
                self.places.insert(alert.labels.clone(), self.alerts.len());
                self.alerts.push((alert, vec![item]));
            }
        }
    }

    /// In the order of their first records.
    pub fn into_alerts(self) -> Vec<(Alert, Vec<usize>)> {
        self.alerts
    }
}

fn joined(known: &Alert, newer: Alert) -> Alert {
    Alert { starts_at: known.starts_at.min(newer.starts_at), ends_at: known.ends_at.max(newer.ends_at), ..newer }
}

/// What fires.
pub struct Table {
    firing: Mutex<HashMap<Labels, Alert>>,
    size: Gauge,
    no_room: Counter,
}

impl Table {
    /// An empty table.
    pub fn new(cx: &BuildCx) -> Self {
        let label = [("exporter", cx.id.as_str())];
        Self {
            firing: Mutex::default(),
            size: cx.telemetry.gauge(
                "lanner_alertmanager_firing_alerts",
                "Alerts that are sent again until they end.",
                "{alert}",
                &label,
            ),
            no_room: cx.telemetry.counter(
                "lanner_alertmanager_untracked_alerts",
                "Alerts that were sent once and are not sent again, because too many fire.",
                "{alert}",
                &label,
            ),
        }
    }

    /// The alert as it is to be sent: begun when the one that fires began.
    pub fn current(&self, alert: &Alert) -> Alert {
        match self.firing.lock().get(&alert.labels) {
            Some(known) if known.ends_at >= alert.starts_at => joined(known, alert.clone()),
            _ => alert.clone(),
        }
    }

    /// Notes that an alert was sent at `now`.
    pub fn fires(&self, alert: Alert, now: Timestamp) {
        let mut firing = self.firing.lock();
        if firing.len() >= MAX_FIRING {
            firing.retain(|_, alert| alert.ends_at > now);
        }
        let room = firing.len() < MAX_FIRING;
        match firing.entry(alert.labels.clone()) {
            Entry::Occupied(mut known) => *known.get_mut() = joined(known.get(), alert),
            Entry::Vacant(place) if room => drop(place.insert(alert)),
            Entry::Vacant(_) => self.no_room.add(1),
        }
        self.size.set(firing.len() as i64);
    }

    /// What fires at `now`; what has ended is forgotten, since Alertmanager knows when.
    pub fn firing(&self, now: Timestamp) -> Vec<Alert> {
        let mut firing = self.firing.lock();
        firing.retain(|_, alert| alert.ends_at > now);
        self.size.set(firing.len() as i64);
        firing.values().cloned().collect()
    }
}
