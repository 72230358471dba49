//! What a user writes, and what is checked of it.

use super::{
    groups::Rules,
    key::{Fields, MAX_FIELDS},
    window::{Rate, Shape},
};
use lanner_conditions::{Condition, ConditionConfig, FieldConfig};
use lanner_engine::{config::Duration, prelude::*, stage::nanos};

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which records take part, for example `evt.type = connect and priority < error`; the others pass at once. Alerts
    /// when left out.
    pub condition: Option<ConditionConfig>,
    /// Fields that make records one group when all of them are equal, Falco's or OpenTelemetry's; at most 16. With none
    /// all records are one group.
    pub group_by: Vec<FieldConfig>,
    /// In which time records count together.
    pub window: WindowConfig,
    /// Records of a group in a window from which on something is told of it: with 10, the tenth makes a summary of all
    /// ten. What stays below is left out and counted.
    pub threshold: u64,
    /// Only the first record of a group passes in a window; a summary tells how many more there were. On unless
    /// `rate_limit` is set.
    pub dedup: Option<bool>,
    /// How many records of a group pass; a summary tells how many more there were.
    pub rate_limit: Option<RateLimit>,
    /// Records that a summary names by id and text, the first of those it stands for; 0 to 100.
    pub exemplars: usize,
    /// Groups at a time, 1 to 10000000. Records of further groups pass as they are.
    pub max_keys: usize,
    /// About how many bytes of memory the groups may take, 1000000 or more. Records for which there is no room pass as
    /// they are.
    pub max_bytes: usize,
    /// Extension that keeps groups over restarts, for example `file_storage`. Then a record is acknowledged only once it
    /// is counted on disk.
    pub storage: Option<ComponentId>,
    /// Close all windows at shutdown and hand on their summaries, although the storage would keep them. Without a storage
    /// that is always done.
    pub flush_on_drain: bool,
}

/// In which time records count together.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WindowConfig {
    /// How windows follow each other.
    #[serde(rename = "type")]
    pub kind: WindowKind,
    /// How long a window is, 1s to 24h.
    pub size: Duration,
    /// Length of a sliding window's steps, at least a 60th of `size`; a tenth of it when left out. A summary goes out at
    /// the end of a step.
    pub every: Option<Duration>,
}

/// How windows follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WindowKind {
    /// A window begins with a record and lasts for its size; the next begins with the next record.
    #[default]
    Tumbling,
    /// The window is always what lies back at most its size; a group lasts until it is quiet for so long.
    Sliding,
}

/// How many records of a group pass.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// Records that pass in the time `per`, evenly spread; 1 to 1000000.
    pub events: u64,
    /// That time, 1ms to 24h.
    pub per: Duration,
    /// Records that may pass at once after a pause; as many as `events` when left out.
    pub burst: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        let group_by =
            ["rule", "priority", "source", "hostname", "k8s.ns.name", "k8s.pod.name", "container.name", "user.name"];
        Self {
            condition: None,
            group_by: group_by.map(FieldConfig::from).into(),
            window: WindowConfig::default(),
            threshold: 1,
            dedup: None,
            rate_limit: None,
            exemplars: 3,
            max_keys: 100_000,
            max_bytes: 128 << 20,
            storage: None,
            flush_on_drain: false,
        }
    }
}

impl Default for WindowConfig {
    fn default() -> Self {
        Self { kind: WindowKind::Tumbling, size: Duration::from_secs(300), every: None }
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { events: 10, per: Duration::from_secs(60), burst: None }
    }
}

/// A checked config.
pub struct Plan {
    /// Of those that take part; without one alerts do.
    pub condition: Option<Condition>,
    pub fields: Fields,
    pub rules: Rules,
    /// The window as people write it.
    pub window: String,
    pub storage: Option<ComponentId>,
    pub flush_on_drain: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("`{key}` is {value}; it can be {range}")]
struct OutOfRange {
    key: String,
    value: String,
    range: &'static str,
}

#[derive(Debug, thiserror::Error)]
#[error("there are {0} fields; take the most telling, at most {MAX_FIELDS}")]
struct TooManyFields(usize);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is named twice; take it out once")]
struct TwiceNamed(String);

#[derive(Debug, thiserror::Error)]
#[error("a tumbling window has no steps; take `every` out, or write `type: sliding`")]
struct EveryOfTumbling;

#[derive(Debug, thiserror::Error)]
#[error("`every` is {every}, which does not divide the `size` {size} into 2 to 60 steps; write for example `{remedy}`")]
struct Uneven {
    every: Duration,
    size: Duration,
    remedy: Duration,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "no record would ever be held back; set `dedup: true`, a `threshold` or a `rate_limit`, or take the processor out"
)]
struct NothingToDo;

#[derive(Debug, thiserror::Error)]
#[error("without `storage` windows are always flushed; name a storage extension, or take the key out")]
struct AlwaysFlushed;

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let dedup = self.dedup.unwrap_or(self.rate_limit.is_none());
        if !dedup && self.rate_limit.is_none() && self.threshold == 1 {
            cx.error("", NothingToDo);
        }
        let condition = self.condition.as_ref().map(|condition| condition.compile("condition", cx));
        let fields = self.fields(cx);
        ranged(cx, "threshold", self.threshold, 1..=1_000_000_000, "1 to 1000000000");
        ranged(cx, "exemplars", self.exemplars, 0..=100, "0 to 100");
        ranged(cx, "max_keys", self.max_keys, 1..=10_000_000, "1 to 10000000");
        ranged(cx, "max_bytes", self.max_bytes, 1_000_000..=usize::MAX, "1000000 or more");
        if let Some(storage) = &self.storage {
            cx.storage("storage", storage);
        } else if self.flush_on_drain {
            cx.warning("flush_on_drain", AlwaysFlushed);
        }
        let (steps, every) = self.window.check(cx)?;
        let rate = self.rate_limit.and_then(|rate| rate.check(cx));
        let shape = Shape { steps, every: nanos(every.0), threshold: self.threshold.max(1), dedup, rate };
        Some(Plan {
            condition: condition.flatten(),
            fields: fields?,
            rules: Rules { shape, max_keys: self.max_keys, max_bytes: self.max_bytes, exemplars: self.exemplars },
            window: self.window.size.to_string(),
            storage: self.storage,
            flush_on_drain: self.flush_on_drain,
        })
    }

    fn fields(&self, cx: &mut PlanCx<'_>) -> Option<Fields> {
        if self.group_by.len() > MAX_FIELDS {
            cx.error("group_by", TooManyFields(self.group_by.len()));
        }
        for (index, name) in self.group_by.iter().enumerate() {
            if self.group_by.iter().take(index).any(|earlier| earlier == name) {
                cx.error(&format!("group_by[{index}]"), TwiceNamed(name.0.clone()));
            }
        }
        FieldConfig::compile_list(&self.group_by, "group_by", cx).map(Fields::new)
    }
}

impl WindowConfig {
    /// Number and length of the steps.
    fn check(&self, cx: &mut PlanCx<'_>) -> Option<(usize, Duration)> {
        let (shortest, longest) = (Duration::from_secs(1), Duration::from_secs(24 * 3600));
        if !ranged(cx, "window.size", self.size, shortest..=longest, "1s to 24h") {
            return None;
        }
        match (self.kind, self.every) {
            (WindowKind::Tumbling, None) => Some((1, self.size)),
            (WindowKind::Tumbling, Some(_)) => {
                cx.error("window.every", EveryOfTumbling);
                None
            }
            (WindowKind::Sliding, every) => {
                let tenth = Duration(self.size.0 / 10);
                let every = every.unwrap_or(tenth);
                let (whole, step) = (nanos(self.size.0), nanos(every.0));
                let steps = whole.checked_div(step).filter(|steps| (2..=60).contains(steps) && whole % step == 0);
                if steps.is_none() {
                    cx.error("window.every", Uneven { every, size: self.size, remedy: tenth });
                }
                Some((usize::try_from(steps?).ok()?, every))
            }
        }
    }
}

impl RateLimit {
    fn check(self, cx: &mut PlanCx<'_>) -> Option<Rate> {
        let burst = self.burst.unwrap_or(self.events);
        let sound = ranged(cx, "rate_limit.events", self.events, 1..=1_000_000, "1 to 1000000");
        let sound = ranged(cx, "rate_limit.burst", burst, 1..=1_000_000, "1 to 1000000") && sound;
        let (shortest, longest) = (Duration::from_millis(1), Duration::from_secs(24 * 3600));
        let sound = ranged(cx, "rate_limit.per", self.per, shortest..=longest, "1ms to 24h") && sound;
        let interval = nanos(self.per.0).checked_div(self.events)?;
        let rate = Rate { interval, tolerance: interval.saturating_mul(burst.saturating_sub(1)) };
        sound.then_some(rate)
    }
}

/// Whether a value is in range; reported when not.
fn ranged<T: PartialOrd + ToString>(
    cx: &mut PlanCx<'_>,
    path: &str,
    value: T,
    allowed: std::ops::RangeInclusive<T>,
    range: &'static str,
) -> bool {
    let sound = allowed.contains(&value);
    if !sound {
        cx.error(path, OutOfRange { key: path.to_owned(), value: value.to_string(), range });
    }
    sound
}
