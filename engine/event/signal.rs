//! The three signals.

use std::fmt;

/// An OpenTelemetry signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    Logs,
    Metrics,
    Traces,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Logs, Self::Metrics, Self::Traces];

    /// The word of pipeline ids: `logs`, `metrics`, `traces`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Metrics => "metrics",
            Self::Traces => "traces",
        }
    }

    /// What the Collector's own metrics call an item: `log_records`, `metric_points`, `spans`.
    pub const fn items(self) -> &'static str {
        match self {
            Self::Logs => "log_records",
            Self::Metrics => "metric_points",
            Self::Traces => "spans",
        }
    }

    /// The signal of a pipeline id's first half.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.as_str() == word)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signals(u8);

impl Signals {
    pub const NONE: Self = Self(0);
    pub const LOGS: Self = Self(1);
    pub const METRICS: Self = Self(2);
    pub const TRACES: Self = Self(4);
    pub const ALL: Self = Self(7);

    /// One signal.
    pub const fn of(signal: Signal) -> Self {
        Self(1 << signal as u8)
    }

    /// Both together.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `signal` is one of them.
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & (1 << signal as u8) != 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        Signal::ALL.into_iter().filter(move |signal| self.contains(*signal))
    }
}
