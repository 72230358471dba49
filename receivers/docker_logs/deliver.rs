//! The delivering half of a follower: chunks of lines become records, in order, and the cursor moves.
//!
//! Promises: a batch is tried until it is taken or Lanner stops; the cursor moves only after the acceptance; what is
//! left out or left behind is counted.

use super::{
    follow::{Follower, Shared},
    read::{Chunk, Read},
    records::Source,
};
use lanner_engine::prelude::*;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;

impl Follower {
    /// Delivers chunks in order until there are no more. Ends early when the pipeline is stopping.
    pub(super) async fn deliver(&self, source: Source, mut queue: mpsc::Receiver<Chunk>) {
        let Shared { mapping, metrics, out, .. } = &*self.shared;
        while let Some(chunk) = queue.recv().await {
            let mut logs = Logs::default();
            let mut skipped = 0;
            for Read { line, ordinal, .. } in &chunk.lines {
                skipped += u64::from(!mapping.map(&source, line, *ordinal, &mut logs));
            }
            let records = logs.len() as u64;
            if skipped > 0 {
                metrics.skipped.add(skipped);
                out.failed(skipped, "not_an_alert");
            }
            if records > 0 && settle(out, Batch::logs(logs)).await == Settled::Stopped {
                // The engine counted this batch as refused; nobody will ask it about the rest.
                queue.close();
                let mut left = 0;
                while let Some(chunk) = queue.recv().await {
                    left += chunk.lines.len() as u64;
                }
                if left > 0 {
                    out.failed(left, "stopped");
                }
                return;
            }
            let newest = chunk.lines.last().map_or(0, |read| read.key.time);
            let keys = chunk.lines.iter().map(|read| read.key);
            let forgotten = self.cursor.lock().accept(keys, chunk.hold);
            metrics.cursor_evictions.add(forgotten as u64);
            metrics.lag.set(age_millis(newest));
        }
    }
}

/// What became of a batch.
#[derive(PartialEq, Eq)]
enum Settled {
    Accepted,
    Stopped,
}

/// Hands a batch over, however long the pipeline is busy.
async fn settle(out: &Consumer, batch: Batch) -> Settled {
    // Not the receiver's drain: what was read is delivered as long as the pipelines take anything.
    match out.consume_patiently(batch, &Drain::new()).await {
        Ok(()) => Settled::Accepted,
        Err(Refused::Draining | Refused::Busy { .. }) => Settled::Stopped,
        Err(Refused::Invalid(reason)) => {
            // The engine counted it as refused; trying again would stop this container for good.
            tracing::warn!(reason, "a batch of container lines was refused for good");
            Settled::Accepted
        }
    }
}

fn age_millis(time: u64) -> i64 {
    let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(time);
    SystemTime::now().duration_since(time).map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}
