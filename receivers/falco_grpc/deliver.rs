//! From messages to the pipelines: mapped, handed over, accounted for.
//!
//! Promises: a batch is tried until it is taken or the time for stopping is over; every message is accepted, or counted
//! with a reason, whatever happens, also when the whole receiver is dropped in the middle.

use super::{alert::Mapping, metrics::Metrics};
use bytes::Bytes;
use lanner_engine::prelude::*;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Larger batches are mapped beside the tasks, which share few threads.
const MAP_INLINE: usize = 256 << 10;

/// Hands messages over.
pub struct Delivery {
    pub mapping: Arc<Mapping>,
    pub metrics: Metrics,
    pub out: Consumer,
    /// Given when the time for stopping is over.
    pub over: Drain,
}

/// The pipelines take nothing any more.
#[derive(Debug)]
pub struct Stopped;

/// Messages that nobody has answered for.
struct Unsettled<'a> {
    out: &'a Consumer,
    count: u64,
}

impl Drop for Unsettled<'_> {
    fn drop(&mut self) {
        if self.count > 0 {
            self.out.failed(self.count, "stopped");
        }
    }
}

impl Delivery {
    /// Delivers messages, however long the pipelines are busy.
    ///
    /// # Errors
    /// Lanner is stopping; what was not taken is counted.
    pub async fn deliver(&self, messages: Vec<Bytes>) -> Result<(), Stopped> {
        let mut unsettled = Unsettled { out: &self.out, count: messages.len() as u64 };
        let records = self.map(messages).await;
        for (reason, count) in records.unreadable.iter() {
            tracing::warn!(count, reason, "Falco sent messages that are no alerts");
            self.out.failed(count as u64, reason);
        }
        unsettled.count = records.logs.len() as u64;
        if unsettled.count == 0 {
            return Ok(());
        }
        let taken = self.out.consume_patiently(Batch::logs(records.logs), &self.over).await;
        // From here on the engine has counted them.
        unsettled.count = 0;
        match taken {
            Ok(()) => {
                self.metrics.lag.set(age_millis(records.newest));
                Ok(())
            }
            Err(Refused::Invalid(reason)) => {
                tracing::warn!(reason, "a batch of alerts was refused for good");
                Ok(())
            }
            Err(Refused::Draining | Refused::Busy { .. }) => Err(Stopped),
        }
    }

    async fn map(&self, messages: Vec<Bytes>) -> super::alert::Records {
        if messages.iter().map(Bytes::len).sum::<usize>() <= MAP_INLINE {
            return self.mapping.map(&messages);
        }
        let (mapping, shared) = (Arc::clone(&self.mapping), messages.clone());
        match tokio::task::spawn_blocking(move || mapping.map(&shared)).await {
            Ok(records) => records,
            // The runtime is going down.
            Err(_) => self.mapping.map(&messages),
        }
    }
}

fn age_millis(time: u64) -> i64 {
    let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(time);
    SystemTime::now().duration_since(time).map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}
