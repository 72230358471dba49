//! Configuration of `incidents`.

use super::book::Settings;
use lanner_conditions::ConditionConfig;
use lanner_engine::{config::Duration, prelude::*, stage::nanos};

/// What the user writes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which records open and join incidents; Falco alerts when left out.
    pub condition: Option<ConditionConfig>,
    /// Less urgent alerts join an incident that is open, but open none.
    pub min_priority: Option<Priority>,
    /// An incident ends when nothing happened for this time, 1s to 24h.
    pub quiet: Duration,
    /// An incident ends after this time even when alerts go on, 1s to 168h; not less than `quiet`.
    pub max_duration: Duration,
    /// How far an audit event may be from the alerts that it explains, before or after them, 1s to 24h.
    pub join_window: Duration,
    /// The span of a process is sent when there was no alert of it or of its children for this time; what comes later is a
    /// new span. Not less than 1s; audit events that come later than this cannot become the parent any more.
    pub process_idle: Duration,
    /// Least time between two `lanner.incident` records that tell how an open incident goes on, at least 1s.
    pub update_interval: Duration,
    /// Send the root span when the incident opens, and again with the same id when it ends. Not every backend takes that.
    pub early_root: bool,
    /// Most open incidents, 1 to 100000; the one that was silent for longest ends early when another begins.
    pub max_incidents: usize,
    /// Most processes and audit requests with a span of their own, in one incident, 1 to 1000; alerts of further ones belong
    /// to the root.
    pub max_processes: usize,
    /// Most span events in one incident, up to 100000; more are counted in the span.
    pub max_span_events: usize,
    /// About how many MiB open incidents may take, 1 to 16384. Above it new processes and span events are counted only.
    pub max_memory_mib: usize,
    /// A storage extension that keeps open incidents, and what was taken but not handed on, through a restart and a crash.
    pub storage: Option<ComponentId>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            condition: None,
            min_priority: None,
            quiet: Duration::from_secs(300),
            max_duration: Duration::from_secs(3600),
            join_window: Duration::from_secs(300),
            process_idle: Duration::from_secs(60),
            update_interval: Duration::from_secs(60),
            early_root: false,
            max_incidents: 1000,
            max_processes: 200,
            max_span_events: 500,
            max_memory_mib: 64,
            storage: None,
        }
    }
}

/// A checked config.
pub struct Plan {
    pub settings: Settings,
    pub storage: Option<ComponentId>,
}

#[derive(Debug, thiserror::Error)]
#[error("`{key}` is {value}; write {range}")]
pub struct OutOfRange {
    key: &'static str,
    value: String,
    range: &'static str,
}

#[derive(Debug, thiserror::Error)]
#[error("`max_duration` is {max_duration}, shorter than `quiet`, {quiet}; write at least `max_duration: {quiet}`")]
pub struct ShorterThanQuiet {
    max_duration: Duration,
    quiet: Duration,
}

impl Config {
    /// Checks everything and reports every problem.
    pub fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let mut sound = true;
        let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
        let times = [
            ("quiet", self.quiet, day, "1s to 24h"),
            ("max_duration", self.max_duration, Duration::from_secs(7 * 86_400), "1s to 168h"),
            ("join_window", self.join_window, day, "1s to 24h"),
            ("process_idle", self.process_idle, day, "1s to 24h"),
            ("update_interval", self.update_interval, day, "1s to 24h"),
        ];
        for (key, value, most, range) in times {
            if value < second || value > most {
                sound = false;
                cx.error(key, OutOfRange { key, value: value.to_string(), range });
            }
        }
        let numbers = [
            ("max_incidents", self.max_incidents, 1..=100_000, "1 to 100000"),
            ("max_processes", self.max_processes, 1..=1000, "1 to 1000"),
            ("max_span_events", self.max_span_events, 0..=100_000, "0 to 100000"),
            ("max_memory_mib", self.max_memory_mib, 1..=16_384, "1 to 16384"),
        ];
        for (key, value, allowed, range) in numbers {
            if !allowed.contains(&value) {
                sound = false;
                cx.error(key, OutOfRange { key, value: value.to_string(), range });
            }
        }
        if sound && self.max_duration < self.quiet {
            sound = false;
            cx.error("max_duration", ShorterThanQuiet { max_duration: self.max_duration, quiet: self.quiet });
        }
        if let Some(storage) = &self.storage {
            cx.storage("storage", storage);
        }
        let condition = match &self.condition {
            Some(condition) => Some(condition.compile("condition", cx)?),
            None => None,
        };
        sound.then(|| Plan {
            settings: Settings {
                condition,
                min_priority: self.min_priority.unwrap_or(Priority::Debug),
                quiet: nanos(self.quiet.0),
                max_duration: nanos(self.max_duration.0),
                join_window: nanos(self.join_window.0),
                process_idle: nanos(self.process_idle.0),
                update_interval: nanos(self.update_interval.0),
                early_root: self.early_root,
                max_incidents: self.max_incidents,
                max_processes: self.max_processes,
                max_span_events: self.max_span_events,
                max_bytes: self.max_memory_mib << 20,
            },
            storage: self.storage,
        })
    }
}
