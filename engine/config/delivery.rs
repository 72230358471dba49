//! `sending_queue`, `retry_on_failure` and `timeout`: the Collector's keys and defaults (fact sheet
//! opentelemetry-collector, section 4), except that a retry has no time limit.

use super::Duration;
use crate::component::ComponentId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the engine does in front of an exporter.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryConfig {
    /// Time limit of one attempt; 0 is none.
    pub timeout: Option<Duration>,
    pub retry_on_failure: RetryConfig,
    pub sending_queue: QueueConfig,
}

/// How failed attempts are repeated.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// Repeat attempts that failed in a way that may pass.
    pub enabled: bool,
    /// Delay before the first repetition.
    pub initial_interval: Duration,
    /// Each delay is drawn between (1 - factor) and (1 + factor) times its nominal value; 0 to 1.
    pub randomization_factor: f64,
    /// Each delay is the one before times this; at least 1.
    pub multiplier: f64,
    /// Upper limit of the delay.
    pub max_interval: Duration,
    /// Give up after this time; 0 is never. The Collector gives up after 300s.
    pub max_elapsed_time: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            initial_interval: Duration::from_secs(5),
            randomization_factor: 0.5,
            multiplier: 1.5,
            max_interval: Duration::from_secs(30),
            max_elapsed_time: Duration::from_secs(0),
        }
    }
}

/// What the queue's size is counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sizer {
    /// Requests as the pipeline brings them.
    #[default]
    Requests,
    /// Log records, data points or spans.
    Items,
    /// Bytes of encoded OTLP.
    Bytes,
}

impl Sizer {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Items => "items",
            Self::Bytes => "bytes",
        }
    }
}

/// The queue between the pipeline and the exporter.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QueueConfig {
    /// Without a queue the receiver's acknowledgement waits for the export itself.
    pub enabled: Option<bool>,
    /// How many sends may be in flight at once; at least 1.
    pub num_consumers: usize,
    /// How much may wait, in units of `sizer`; what is in flight counts too.
    pub queue_size: usize,
    pub sizer: Sizer,
    /// Wait for room instead of refusing when the queue is full.
    pub block_on_overflow: bool,
    /// Gather requests into larger ones before sending.
    pub batch: Option<BatchConfig>,
    /// Extension that keeps the queue on disk, such as `file_storage`. Then a receiver's acknowledgement means that the
    /// request is there, and the queue survives the process. `queue_size` bounds such a queue only where it is written.
    pub storage: Option<ComponentId>,
    /// What happens when the queue on disk is full.
    pub on_full: OnFull,
    /// What the exporter refuses or gives up for good, where the queue is on disk.
    pub dead_letters: DeadLettersConfig,
}

/// Where refused requests are kept: beside the queue, in the same log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeadLettersConfig {
    /// Dead letters of one exporter and signal may take so many MiB of the log; the oldest make room for new ones.
    /// 0 keeps none.
    #[schemars(range(max = 1_048_576))]
    pub max_size_mib: u64,
}

impl Default for DeadLettersConfig {
    fn default() -> Self {
        Self { max_size_mib: 64 }
    }
}

/// What happens when a queue on disk is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFull {
    /// Senders wait for room as long as they can, then are refused.
    #[default]
    Hold,
    /// Senders are refused at once, and told when to come back.
    Reject,
    /// The oldest requests of this queue that are not being sent are dropped, and counted.
    DropOldest,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            enabled: None,
            num_consumers: 10,
            queue_size: 1000,
            sizer: Sizer::Requests,
            block_on_overflow: false,
            batch: None,
            storage: None,
            on_full: OnFull::Hold,
            dead_letters: DeadLettersConfig::default(),
        }
    }
}

/// How requests are gathered.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BatchConfig {
    /// Send what there is after this time.
    pub flush_timeout: Duration,
    /// Send as soon as this much is there, in units of `sizer`.
    pub min_size: usize,
    /// Never send more than this in one request; 0 is no limit.
    pub max_size: usize,
    /// `items` or `bytes`; the queue's when that is one of them, else `items`.
    pub sizer: Option<Sizer>,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self { flush_timeout: Duration::from_millis(200), min_size: 8192, max_size: 0, sizer: None }
    }
}

/// What an exporter type starts from when the config says nothing.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryDefaults {
    /// Whether there is a queue.
    pub queue: bool,
    /// Time limit of one attempt; zero is none.
    pub timeout: std::time::Duration,
}

impl DeliveryDefaults {
    /// A sink behind a network: queue on, 5 s per attempt.
    pub const REMOTE: Self = Self { queue: true, timeout: std::time::Duration::from_secs(5) };
    /// A sink in this process: the acknowledgement waits for it.
    pub const LOCAL: Self = Self { queue: false, timeout: std::time::Duration::ZERO };
}
