//! The model: families of series, as both formats need them.

/// Label names and values, sorted by name.
pub type Labels = Vec<(String, String)>;

/// All series of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// The Prometheus name, without the suffixes that the format adds (`_total`, `_bucket`, ...).
    pub name: String,
    /// Shown as `# HELP`; left out when empty.
    pub help: String,
    /// The Prometheus unit (`seconds`); shown by OpenMetrics when the name ends with it.
    pub unit: String,
    pub kind: Kind,
    pub series: Vec<Series>,
}

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Samples are named `<name>_total`.
    Counter,
    /// A counter whose samples are named `<name>` as it stands. OpenMetrics knows no such counters and calls it unknown.
    ExactCounter,
    Gauge,
    Histogram,
    Summary,
    /// Samples are named `<name>_info`.
    Info,
}

/// One line, or the lines of one histogram or summary.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub labels: Labels,
    pub point: Point,
    /// Milliseconds since 1970; shown when present.
    pub timestamp_ms: Option<i64>,
    /// When counting began, in nanoseconds since 1970; 0 is unknown. Shown by OpenMetrics.
    pub created: u64,
}

/// The value of a series.
#[derive(Clone, Debug, PartialEq)]
pub enum Point {
    Number(Number),
    /// Upper bounds without the infinite one, each with the number of values up to it.
    Histogram {
        buckets: Vec<(f64, u64)>,
        sum: Option<f64>,
        count: u64,
    },
    /// Quantiles from 0 to 1 with their values.
    Summary {
        quantiles: Vec<(f64, f64)>,
        sum: f64,
        count: u64,
    },
}

/// A number that keeps 64-bit integers exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    /// Both together; stays an integer while it can.
    pub fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) if a.checked_add(b).is_some() => Self::Int(a.wrapping_add(b)),
            (a, b) => Self::Float(a.as_f64() + b.as_f64()),
        }
    }

    /// The nearest double.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}
