//! The configuration of `file`.

use super::rotation::Rotation;
use lanner_engine::prelude::*;
use std::path::PathBuf;

/// Writes to a file, one JSON object per line.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The file; required. It is appended to, never truncated.
    pub path: PathBuf,
    pub format: Format,
    /// Make the file's directory, and those above it, when it is missing.
    pub create_directory: bool,
    /// Start a new file when this one is large; one growing file unless given.
    pub rotation: Option<RotationConfig>,
}

/// What a line holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A whole OTLP request as OTLP JSON, as the Collector writes it.
    #[default]
    Json,
    /// One flat object per log record. Metrics and traces are written as with `json`.
    Records,
}

/// When to start a new file and which old ones to keep.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RotationConfig {
    /// Largest size of a file, in MiB; at least 1.
    pub max_megabytes: u64,
    /// Delete old files after so many days; 0 is never.
    pub max_days: u32,
    /// Keep so many old files; 0 is all of them.
    pub max_backups: usize,
    /// Name old files by local time instead of UTC.
    pub localtime: bool,
}

impl Default for RotationConfig {
    fn default() -> Self {
        Self { max_megabytes: 100, max_days: 0, max_backups: 100, localtime: false }
    }
}

/// The checked configuration.
pub struct Plan {
    pub path: PathBuf,
    pub format: Format,
    pub create_directory: bool,
    pub rotation: Option<Rotation>,
}

/// No file name.
#[derive(Debug, thiserror::Error)]
#[error("`path` is missing or names no file; write for example `path: ./alerts.jsonl`")]
pub struct NoPath;

/// Every line would be a file.
#[derive(Debug, thiserror::Error)]
#[error("`max_megabytes` must be between 1 and 1048576")]
pub struct InvalidSize;

impl Config {
    /// Reports every problem.
    pub fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let mut sound = true;
        if self.path.file_name().is_none() {
            cx.error("path", NoPath);
            sound = false;
        }
        if self.rotation.as_ref().is_some_and(|rotation| !(1..=1 << 20).contains(&rotation.max_megabytes)) {
            cx.error("rotation.max_megabytes", InvalidSize);
            sound = false;
        }
        let rotation = self.rotation.map(|rotation| Rotation {
            max_bytes: rotation.max_megabytes.saturating_mul(1 << 20),
            max_days: rotation.max_days,
            max_backups: rotation.max_backups,
            localtime: rotation.localtime,
            now: jiff::Timestamp::now,
        });
        sound.then_some(Plan {
            path: self.path,
            format: self.format,
            create_directory: self.create_directory,
            rotation,
        })
    }
}
