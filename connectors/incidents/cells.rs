//! Own metrics.

use super::incident::End;
use lanner_engine::{
    prelude::*,
    telemetry::{Counter, Gauge, Histogram},
};

/// Seconds; the defaults end an incident after five quiet minutes, or after an hour.
const DURATIONS: &[f64] = &[1.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 14_400.0, 86_400.0];

/// Every record taken is in one of the first five, once.
pub struct Cells {
    pub joined: Counter,
    pub entrances: Counter,
    pub below: Counter,
    pub passed: Counter,
    pub undecodable: Counter,
    pub dropped_processes: Counter,
    pub dropped_events: Counter,
    pub dropped_entrances: Counter,
    pub active: Gauge,
    pub bytes: Gauge,
    ended: [Counter; End::ALL.len()],
    /// Incidents and their durations by priority, and those without any.
    by_priority: Vec<(&'static str, Counter, Histogram)>,
}

impl Cells {
    /// The cells of one connector.
    pub fn new(cx: &BuildCx) -> Self {
        let (telemetry, id) = (&cx.telemetry, ("connector", cx.id.as_str()));
        let records = |outcome| {
            let help = "Log records taken by the connector, by what became of them.";
            telemetry.counter("lanner_incidents_records", help, "{record}", &[id, ("outcome", outcome)])
        };
        let dropped = |what| {
            let help = "What incidents do not show because of a limit; the log records go on all the same.";
            telemetry.counter("lanner_incidents_dropped", help, "{item}", &[id, ("what", what)])
        };
        let ended = |end: End| {
            let help = "Incidents closed, by why they ended.";
            telemetry.counter("lanner_incidents_ended", help, "{incident}", &[id, ("reason", end.as_str())])
        };
        let by_priority = |word| {
            let labels = [id, ("falco_priority", word)];
            let (help, times) =
                ("Incidents closed, by highest priority.", "Time from first to last alert of closed incidents.");
            let incidents = telemetry.counter("security_incidents", help, "{incident}", &labels);
            (word, incidents, telemetry.histogram("security_incident_duration", times, "s", DURATIONS, &labels))
        };
        let words = Priority::ALL.into_iter().map(Priority::lower).chain(["unknown"]);
        Self {
            joined: records("joined"),
            entrances: records("entrance"),
            below: records("below_min_priority"),
            passed: records("passed"),
            undecodable: records("undecodable"),
            dropped_processes: dropped("process"),
            dropped_events: dropped("span_event"),
            dropped_entrances: dropped("entrance"),
            active: telemetry.gauge("security_incidents_active", "Incidents that are open.", "{incident}", &[id]),
            bytes: telemetry.gauge("lanner_incidents_memory", "About what open incidents take.", "By", &[id]),
            ended: End::ALL.map(ended),
            by_priority: words.map(by_priority).collect(),
        }
    }

    /// Counts a closed incident.
    pub fn closed(&self, priority: &str, nanos: u64, end: End) {
        if let Some((_, incidents, durations)) = self.by_priority.iter().find(|(word, ..)| *word == priority) {
            incidents.add(1);
            durations.record(nanos as f64 / 1e9);
        }
        if let Some((_, ended)) = End::ALL.iter().zip(&self.ended).find(|(known, _)| **known == end) {
            ended.add(1);
        }
    }
}
