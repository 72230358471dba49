//! What a user writes, and what is checked of it.

use super::{
    blocks,
    checkpoints::Checkpoints,
    files::Files,
    follow::Follower,
    metrics::Metrics,
    search::Search,
    shared::{Shared, Start},
};
use crate::{
    container::Wrapping,
    counters::ByReason,
    formats::{Format, Mapper, NonJson, Options, Semantics},
    size::Size,
};
use lanner_engine::{config::Duration, prelude::*};
use std::{fs::File, io, path::Path, sync::Arc};

/// Keys that mean the same as the Collector's are spelled the same and have its defaults.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Files to read: paths with `*`, `?`, `[..]`, `{a,b}`, and `**` for any folders.
    #[schemars(length(min = 1))]
    pub include: Vec<String>,
    /// Files not to read although included.
    pub exclude: Vec<String>,
    /// Where to start with files that are there when Lanner starts and were never read; later ones are read from their
    /// beginning.
    pub start_at: StartAt,
    /// What a line is.
    pub format: Format,
    /// What a container runtime puts around the lines.
    pub container: Wrapping,
    /// What becomes of lines that are no event. Unset: `skip` with `format: falco`, `keep` with `format: json`.
    pub non_json: Option<NonJson>,
    /// How events become records.
    pub semantics: Semantics,
    /// Pause between two looks at the files.
    pub poll_interval: Duration,
    /// How long text without a line end waits for it; 0 waits for ever.
    pub force_flush_period: Duration,
    /// Character set of the files.
    pub encoding: Encoding,
    /// Longest line; the rest of a longer one is left out.
    pub max_log_size: Size,
    /// How many first bytes tell a file from another one that has its inode.
    pub fingerprint_size: Size,
    /// Most files open at a time.
    #[schemars(range(min = 1, max = 65536))]
    pub max_concurrent_files: usize,
    /// Most files followed.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_files: usize,
    /// Add `log.file.name` to every record.
    pub include_file_name: bool,
    /// Add `log.file.path` to every record.
    pub include_file_path: bool,
    /// Storage extension that keeps how far files were read. Unset: a restart begins at `start_at` again.
    pub storage: Option<ComponentId>,
}

/// Where to start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StartAt {
    /// With what is written from now on.
    #[default]
    End,
    /// With the first line.
    Beginning,
}

/// Character set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Encoding {
    /// UTF-8; bytes that are none are replaced and counted.
    #[default]
    #[serde(rename = "utf-8", alias = "utf8")]
    Utf8,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: Vec::new(),
            start_at: StartAt::End,
            format: Format::Text,
            container: Wrapping::None,
            non_json: None,
            semantics: Semantics::default(),
            poll_interval: Duration::from_millis(200),
            force_flush_period: Duration::from_millis(500),
            encoding: Encoding::Utf8,
            max_log_size: Size(1 << 20),
            fingerprint_size: Size(1000),
            max_concurrent_files: 1024,
            max_files: 10_000,
            include_file_name: true,
            include_file_path: false,
            storage: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no file to read; write for example `include: [/var/log/falco/events.log]`")]
struct NothingIncluded;

#[derive(Debug, thiserror::Error)]
#[error("not a pattern: {0}; write for example `/var/log/falco/*.log`")]
struct InvalidPattern(globset::Error);

#[derive(Debug, thiserror::Error)]
#[error("`{key}` is {value}; choose {least} to {most}")]
struct OutOfRange {
    key: &'static str,
    value: u64,
    least: u64,
    most: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("`poll_interval` is {0}; write at least `1ms`, for example `200ms`")]
struct PollTooShort(Duration);

/// A checked config.
pub struct Plan {
    pub(super) config: Config,
    pub(super) mapper: Mapper,
}

impl Config {
    pub(super) fn check(self, cx: &mut PlanCx<'_>) -> Option<Plan> {
        let mut valid = true;
        if self.include.is_empty() {
            cx.error("include", NothingIncluded);
            valid = false;
        }
        if let Err(wrong) = Search::new(&self.include, &self.exclude, Path::new("/")) {
            for (list, index, error) in wrong {
                cx.error(&format!("{list}[{index}]"), InvalidPattern(error));
            }
            valid = false;
        }
        for (key, value, least, most) in [
            ("max_log_size", self.max_log_size.0, 64, 64 << 20),
            ("fingerprint_size", self.fingerprint_size.0, 16, 64 << 10),
            ("max_concurrent_files", self.max_concurrent_files as u64, 1, 65_536),
            ("max_files", self.max_files as u64, 1, 1_000_000),
        ] {
            if !(least..=most).contains(&value) {
                cx.error(key, OutOfRange { key, value, least, most });
                valid = false;
            }
        }
        if self.poll_interval < Duration::from_millis(1) {
            cx.error("poll_interval", PollTooShort(self.poll_interval));
            valid = false;
        }
        if let Some(storage) = &self.storage {
            cx.storage("storage", storage);
        }
        let options = Options {
            format: self.format,
            container: self.container,
            non_json: self.non_json,
            semantics: self.semantics.clone(),
            max_line: self.max_log_size.0 as usize,
            scope: "lanner.receiver.file_log",
        };
        let mapper = options.check(cx);
        Some(Plan { config: self, mapper: mapper? }).filter(|_| valid)
    }
}

#[async_trait]
impl ReceiverPlan for Plan {
    /// Reads the checkpoints. Files are not looked for yet: one that is not there is no error.
    async fn build(self: Box<Self>, cx: &BuildCx) -> Result<Box<dyn Receiver>, BoxError> {
        Ok(Box::new(self.open_with(cx, blocks::open).await?))
    }
}

/// A folder that relative patterns would start in.
#[derive(Debug, thiserror::Error)]
#[error("a pattern is relative and the working folder is not to be had: {0}; write absolute patterns")]
struct NoFolder(std::io::Error);

impl Plan {
    /// Reads the checkpoints and puts everything together; `open` is how files are opened.
    pub(super) async fn open_with(
        self,
        cx: &BuildCx,
        open: fn(&Path) -> io::Result<File>,
    ) -> Result<Follower, BoxError> {
        let Self { config, mapper } = self;
        let relative = config.include.iter().chain(&config.exclude).any(|pattern| !pattern.starts_with('/'));
        let folder = if relative { std::env::current_dir().map_err(NoFolder)? } else { "/".into() };
        let wrong = |wrong: Vec<(_, _, globset::Error)>| {
            wrong
                .into_iter()
                .next()
                .map_or_else(|| BoxError::from("no pattern"), |(_, _, error)| InvalidPattern(error).into())
        };
        let search = Search::new(&config.include, &config.exclude, &folder).map_err(wrong)?;
        let storage = config.storage.as_ref().map(|id| cx.storage(id)).transpose()?;
        let checkpoints = Checkpoints::load(storage, config.max_files).await?;
        let metrics = Metrics::new(cx);
        let shared = Shared {
            whole_lines: mapper.needs_whole_lines(),
            mapper,
            wrapping: config.container,
            max_line: config.max_log_size.0 as usize,
            fingerprint_size: config.fingerprint_size.0 as usize,
            force_flush: Some(config.force_flush_period.0).filter(|period| !period.is_zero()),
            start_at: match config.start_at {
                StartAt::End => Start::End,
                StartAt::Beginning => Start::Beginning,
            },
            max_open: config.max_concurrent_files,
            max_files: config.max_files,
            name: config.include_file_name.then(|| Key::intern("log.file.name")),
            path: config.include_file_path.then(|| Key::intern("log.file.path")),
            metrics: metrics.clone(),
            open,
        };
        Ok(Follower {
            files: Files::new(Arc::new(shared), search, checkpoints),
            poll: config.poll_interval.0,
            degraded: ByReason::degraded(cx),
            unusable: ByReason::unusable(cx),
            metrics,
        })
    }
}
