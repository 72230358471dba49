//! The configuration of `sqlite`.

use super::retention::Limits;
use lanner_engine::{config::Duration, prelude::*};
use std::path::PathBuf;

/// Keeps events, spans of incidents and counts by container and day in an SQLite database.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The database file; required. Not on a network file system. Beside it are `<path>-wal` and `<path>-shm`.
    pub path: PathBuf,
    /// Make the file's directory, and those above it, when it is missing.
    pub create_directory: bool,
    /// When a request counts as written.
    pub synchronous: Synchronous,
    /// How long to wait for another process that is writing to the database, or keeps its log from being emptied;
    /// 10ms to 1m.
    pub busy_timeout: Duration,
    pub retention: RetentionConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            create_directory: false,
            synchronous: Synchronous::default(),
            busy_timeout: Duration::from_secs(5),
            retention: RetentionConfig::default(),
        }
    }
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Synchronous {
    /// Every commit is on disk: it survives a power failure.
    #[default]
    Full,
    /// Commits survive the end of the process; a power failure may take the last ones back.
    Normal,
}

/// What is deleted, oldest first: by age or by size, whichever comes first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// Delete events, spans, incidents and containers this long after they were last heard of; 0 is never, else at least 1m.
    pub max_age: Duration,
    /// The same for the daily profile, which is small; 0 is never, else at least 1m.
    pub max_profile_age: Duration,
    /// Largest size of the database, in MiB, 4 to 1048576; at nine tenths of it the oldest go. The write-ahead log beside it
    /// may take a quarter of this on top.
    pub max_size_mib: u64,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        const DAY: u64 = 86_400;
        Self {
            max_age: Duration::from_secs(30 * DAY),
            max_profile_age: Duration::from_secs(400 * DAY),
            max_size_mib: 1024,
        }
    }
}

/// The checked configuration.
#[derive(Clone)]
pub struct Plan {
    pub path: PathBuf,
    pub create_directory: bool,
    pub synchronous: Synchronous,
    pub busy_timeout: std::time::Duration,
    pub limits: Limits,
}

/// No file name.
#[derive(Debug, thiserror::Error)]
#[error("`path` is missing or names no file; write for example `path: /var/lib/lanner/events.db`")]
pub struct NoPath;

/// A wait that is none, or blocks everything.
#[derive(Debug, thiserror::Error)]
#[error("`busy_timeout` must be between 10ms and 1m; write for example `busy_timeout: 5s`")]
pub struct InvalidBusyTimeout;

/// Too short to be meant.
#[derive(Debug, thiserror::Error)]
#[error("an age must be 0, which is never, or at least 1m; write for example `max_age: 720h`")]
pub struct InvalidAge;

/// Nothing fits, or nothing is bounded.
#[derive(Debug, thiserror::Error)]
#[error("`max_size_mib` must be between 4 and 1048576; write for example `max_size_mib: 1024`")]
pub struct InvalidSize;

impl Config {
    /// Reports every problem.
    pub fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let mut sound = true;
        let busy_timeout = std::time::Duration::from(self.busy_timeout);
        let is_age = |age: Duration| age.0.is_zero() || age >= Duration::from_secs(60);
        let kept = &self.retention;
        if self.path.file_name().is_none() {
            cx.error("path", NoPath);
            sound = false;
        }
        if !(10..=60_000).contains(&busy_timeout.as_millis()) {
            cx.error("busy_timeout", InvalidBusyTimeout);
            sound = false;
        }
        for (path, value) in [("retention.max_age", kept.max_age), ("retention.max_profile_age", kept.max_profile_age)]
        {
            if !is_age(value) {
                cx.error(path, InvalidAge);
                sound = false;
            }
        }
        if !(4..=1 << 20).contains(&kept.max_size_mib) {
            cx.error("retention.max_size_mib", InvalidSize);
            sound = false;
        }
        let age = |age: Duration| (!age.0.is_zero()).then_some(age.0);
        let limits = Limits {
            age: age(kept.max_age),
            profile_age: age(kept.max_profile_age),
            bytes: kept.max_size_mib.saturating_mul(1 << 20),
        };
        sound.then_some(Plan {
            path: self.path,
            create_directory: self.create_directory,
            synchronous: self.synchronous,
            busy_timeout,
            limits,
        })
    }
}
