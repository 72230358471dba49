//! The log of sending queues, in the folder `queue`.
//!
//! Promises: opened with the first exporter that asks, and then the same for all; closed after the last one has stopped,
//! with every acknowledgement on disk; what is found damaged at the start is reported and does not stop it; while the disk
//! refuses, the extension is `StatusRecoverableError`, until it has taken something again.

use super::config::QueuesConfig;
use lanner_engine::{
    prelude::*,
    telemetry::{Health, Status, Telemetry},
};
use lanner_queue::{Log, LogCounts, Options, Recovered};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::OnceCell;

/// How often the log's numbers are read.
const LOOK: Duration = Duration::from_millis(500);
/// A segment is at most this large; of a smaller log it is a part.
const SEGMENT: u64 = 32 << 20;

/// Where the log of queues is below the directory of the extension, and what it may take.
pub fn queue_log(directory: &Path, max_size_mib: u64) -> (PathBuf, Options) {
    let max_bytes = max_size_mib << 20;
    let options = Options { max_bytes, segment_bytes: SEGMENT.min(max_bytes / 16), ..Options::default() };
    (directory.join("queue"), options)
}

/// The log, once somebody needs it.
pub(super) struct Queues {
    folder: PathBuf,
    options: Options,
    telemetry: Telemetry,
    health: Health,
    id: ComponentId,
    log: OnceCell<Log>,
}

/// What was last shown.
#[derive(Default)]
struct Shown {
    counts: LogCounts,
    /// Whether each queue was declared.
    declared: BTreeMap<Arc<str>, bool>,
}

impl Queues {
    pub fn new(directory: &Path, config: &QueuesConfig, cx: &BuildCx) -> Self {
        let (folder, options) = queue_log(directory, config.max_size_mib);
        let (telemetry, health) = (cx.telemetry.clone(), cx.health.clone());
        Self { folder, options, telemetry, health, id: cx.id.clone(), log: OnceCell::new() }
    }

    /// The log, opened with the first call.
    pub async fn log(&self) -> Result<Log, BoxError> {
        let log = self.log.get_or_try_init(|| async {
            let (log, found) = Log::open(&self.folder, self.options.clone()).await?;
            self.report(&found);
            Ok::<Log, BoxError>(log)
        });
        Ok(log.await?.clone())
    }

    fn report(&self, found: &Recovered) {
        if found.entries > 0 {
            tracing::info!(extension = %self.id, requests = found.entries, "Queues on disk go on where they stopped.");
        }
        if found.corrupt_records > 0 {
            let Recovered { corrupt_records, corrupt_bytes, lost_entries, .. } = found;
            tracing::error!(
                extension = %self.id, corrupt_records, corrupt_bytes, lost_entries,
                "Queues on disk are damaged; what is not damaged goes on."
            );
        }
    }

    /// Shows the log's numbers until drained, then closes it.
    pub async fn run(&self, drain: &Drain) {
        let mut shown = Shown::default();
        while tokio::time::timeout(LOOK, drain.requested()).await.is_err() {
            self.show(&mut shown);
        }
        if let Some(log) = self.log.get() {
            log.close().await;
        }
    }

    /// Shows the numbers, and what has changed since they were last shown.
    fn show(&self, shown: &mut Shown) {
        let Some(log) = self.log.get() else { return };
        let stats = log.stats();
        self.judge(&stats.counts, &shown.counts);
        shown.counts = stats.counts;
        let id = ("extension", self.id.as_str());
        let gauge = |name, help, unit, value: u64| {
            self.telemetry.gauge(name, help, unit, &[id]).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        gauge("lanner_queue_disk_bytes", "Size of the files of the log of queues.", "By", stats.disk_bytes);
        gauge("lanner_queue_disk_limit_bytes", "What the log of queues may take.", "By", stats.max_bytes);
        for queue in stats.queues {
            let turned =
                shown.declared.insert(Arc::clone(&queue.name), queue.declared).is_some_and(|was| was != queue.declared);
            let gauge = |name, help, unit, value: u64| {
                let gauge = |declared: bool| {
                    let declared = if declared { "true" } else { "false" };
                    self.telemetry.gauge(name, help, unit, &[id, ("queue", &*queue.name), ("declared", declared)])
                };
                gauge(queue.declared).set(i64::try_from(value).unwrap_or(i64::MAX));
                if turned {
                    gauge(!queue.declared).set(0);
                }
            };
            gauge("lanner_queue_entries", "Requests of the queue that are not delivered.", "{request}", queue.entries);
            gauge(
                "lanner_queue_dropped",
                "Requests of the queue that gave way to newer ones.",
                "{request}",
                queue.counts.dropped,
            );
            gauge(
                "lanner_queue_lost",
                "Requests of the queue that were damaged on disk.",
                "{request}",
                queue.counts.lost,
            );
        }
    }

    /// Counts failures, and tells the health of them.
    fn judge(&self, counts: &LogCounts, seen: &LogCounts) {
        let id = [("extension", self.id.as_str())];
        let help = "Writes and syncs of the log of queues that failed.";
        let errors = self.telemetry.counter("lanner_queue_write_errors", help, "{error}", &id);
        errors.add(counts.write_errors.saturating_sub(seen.write_errors));
        let help = "Requests that the disk of the queues refused; the sender was told.";
        let refused = self.telemetry.counter("lanner_queue_refused_by_disk", help, "{request}", &id);
        refused.add(counts.failed_appends.saturating_sub(seen.failed_appends));
        let name = format!("extension:{}", self.id);
        if counts.failing {
            let why = "the disk refuses writes of sending queues; the log says why";
            self.health.report(&name, Status::Recoverable(why.to_owned()));
        } else if seen.failing {
            self.health.report(&name, Status::Ok);
        }
    }
}
