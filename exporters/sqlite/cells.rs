//! Own metrics and health.

use super::retention::{Deleted, TABLES};
use lanner_engine::{
    prelude::*,
    telemetry::{Counter, Gauge, Health, Status},
};

/// What the exporter tells about itself.
pub struct Cells {
    pub known: Counter,
    pub bytes: Gauge,
    pub log_bytes: Gauge,
    /// By age and by size, a counter for each table.
    deleted: [(&'static str, [Counter; TABLES.len()]); 2],
    health: Health,
    name: String,
}

impl Cells {
    /// Those of one exporter.
    pub fn new(cx: &BuildCx) -> Self {
        let id = ("exporter", cx.id.as_str());
        let file = |file| cx.telemetry.gauge("lanner_sqlite_bytes", "Size of the files.", "By", &[id, ("file", file)]);
        let deleted = |reason| {
            let help = "Rows deleted by the retention.";
            let counter = |table| {
                let labels = [id, ("table", table), ("reason", reason)];
                cx.telemetry.counter("lanner_sqlite_deleted_rows", help, "{row}", &labels)
            };
            (reason, TABLES.map(counter))
        };
        let known = "Events that were there already.";
        Self {
            known: cx.telemetry.counter("lanner_sqlite_known_events", known, "{event}", &[id]),
            bytes: file("database"),
            log_bytes: file("log"),
            deleted: [deleted("age"), deleted("size")],
            health: cx.health.clone(),
            name: format!("{}:{}", cx.kind.as_str(), cx.id),
        }
    }

    /// Counts rows that were deleted.
    pub fn deleted(&self, reason: &str, rows: Deleted) {
        let counters = self.deleted.iter().filter(|(known, _)| *known == reason).flat_map(|(_, counters)| counters);
        counters.zip(rows).for_each(|(counter, rows)| counter.add(rows));
    }

    /// Only somebody's hand can help.
    pub fn stopped(&self, why: &str) {
        self.health.report(&self.name, Status::Permanent(why.to_owned()));
    }

    /// Somebody has helped.
    pub fn works(&self) {
        self.health.report(&self.name, Status::Ok);
    }
}
