//! The receiver at work: search, read, deliver, remember; again and again.
//!
//! Promises: one batch is on its way at a time, and the checkpoints move only once the pipeline has it; a busy pipeline
//! slows the reading down and loses nothing; reading and searching keep off the threads of the runtime; searching takes
//! no more than a tenth of the time, however many files there are.

use super::{
    files::{Files, Round},
    metrics::Metrics,
};
use crate::counters::ByReason;
use lanner_engine::prelude::*;
use std::time::Duration;
use tokio::{task::spawn_blocking, time::Instant};

/// How often checkpoints are written at most.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// Searching may take one part in so many.
const SEARCH_SHARE: u32 = 10;

/// A receiver that is built.
pub struct Follower {
    pub files: Files,
    pub poll: Duration,
    pub degraded: ByReason,
    pub unusable: ByReason,
    pub metrics: Metrics,
}

#[async_trait]
impl Receiver for Follower {
    async fn run(self: Box<Self>, out: Consumer, drain: Drain) -> Result<(), BoxError> {
        let Self { mut files, poll, degraded, unusable, metrics } = *self;
        let (mut next_search, mut saved) = (Instant::now(), None);
        while !drain.is_requested() {
            let now = Instant::now();
            let due = now >= next_search;
            let work = spawn_blocking(move || {
                let started = Instant::now();
                if due {
                    files.search(now);
                }
                let searched = started.elapsed();
                let round = files.round(now);
                (files, round, searched)
            });
            let round;
            let searched;
            (files, round, searched) = work.await?;
            if due {
                next_search = now + poll.max(searched * (SEARCH_SHARE - 1));
            }
            let idle = round.read.is_empty();
            let Round { records, read } = round;
            if !records.logs.is_empty() {
                match out.consume_patiently(Batch::logs(records.logs), &drain).await {
                    Ok(()) => {}
                    // Not accepted, so the checkpoints stay where they are. The engine has counted it.
                    Err(Refused::Draining | Refused::Busy { .. }) => break,
                    // Trying again would stop this file for good. The engine has counted it.
                    Err(Refused::Invalid(reason)) => tracing::warn!(reason, "lines of files were refused for good"),
                }
            }
            files.accept(read);
            records.skipped.iter().for_each(|(reason, count)| out.failed(count as u64, reason));
            records.degraded.iter().for_each(|(reason, count)| degraded.add(reason, count));
            records.unusable.iter().for_each(|(reason, count)| unusable.add(reason, count));
            let ripe = idle || saved.is_none_or(|saved: Instant| saved.elapsed() >= SAVE_EVERY);
            if ripe && files.checkpoints.unsaved() {
                save(&mut files, &metrics).await;
                saved = Some(Instant::now());
            }
            if idle {
                tokio::select! {
                    biased;
                    () = drain.requested() => {}
                    () = tokio::time::sleep_until(next_search) => {}
                }
            }
        }
        save(&mut files, &metrics).await;
        Ok(())
    }
}

/// Writes the checkpoints. One that fails is written with the next; until then a crash repeats more lines.
async fn save(files: &mut Files, metrics: &Metrics) {
    if let Err(error) = files.checkpoints.save().await {
        metrics.checkpoint_failures.add(1);
        tracing::warn!(error, "the checkpoints cannot be written; trying again");
    }
}
