//! Gathering: which requests leave together, and when.
//!
//! Without a `batch` section: when nothing is in flight and nothing left within [`PACE`], what waits is sent at once;
//! else requests gather until [`GATHER_BYTES`] wait or the oldest waited [`GATHER_LINGER`]. A lone alert leaves at once
//! and a storm leaves in large requests, without a delay to configure. What is that large by itself leaves as it is: copying
//! it together with others would gain nothing. With a `batch` section its rules hold instead.

use super::queue::{Together, Wanted};
use crate::config::{BatchConfig, Sizer};
use std::time::Duration;
use tokio::time::Instant;

/// How much gathers while something is in flight. Large enough to make the cost of a request vanish, far below the
/// 4 MiB that gRPC servers take by default.
const GATHER_BYTES: usize = 256 << 10;
/// How long something gathers at most while something else is in flight.
const GATHER_LINGER: Duration = Duration::from_millis(20);
/// Between two requests that are not full, so that a fast sink does not turn a storm into as many tiny requests as it
/// can answer: each costs as much CPU as several alerts.
const PACE: Duration = Duration::from_millis(5);
/// A request is never made larger than this by gathering.
const LARGEST_MERGE: usize = 2 << 20;

/// What is sent together, and when.
pub(super) struct Gathering {
    /// Enough to send.
    pub ripe: Wanted,
    linger: Duration,
    /// Whether what waits leaves at once when nothing is in flight.
    eager: bool,
    /// What is taken for one request.
    pub together: Together,
    /// A single request over these is split; 0 is no limit.
    pub split_records: usize,
    pub split_bytes: usize,
}

impl Gathering {
    /// The rules of a `batch` section, or those without one.
    pub fn of(batch: &Option<BatchConfig>, queue_sizer: Sizer) -> Self {
        let Some(batch) = batch else {
            return Self {
                ripe: Wanted { bytes: GATHER_BYTES, records: usize::MAX },
                linger: GATHER_LINGER,
                eager: true,
                together: Together { max_bytes: LARGEST_MERGE, max_records: 0, alone_bytes: GATHER_BYTES },
                split_records: 0,
                split_bytes: 0,
            };
        };
        let by_bytes = batch.sizer.unwrap_or(queue_sizer) == Sizer::Bytes;
        let (ripe, max_bytes, max_records) = if by_bytes {
            (Wanted { bytes: batch.min_size, records: usize::MAX }, batch.max_size, 0)
        } else {
            (Wanted { bytes: usize::MAX, records: batch.min_size }, 0, batch.max_size)
        };
        Self {
            ripe,
            linger: batch.flush_timeout.0,
            eager: false,
            // Takes up to the limit; a single request over it is split behind.
            together: Together {
                max_bytes: if by_bytes && batch.max_size == 0 { batch.min_size.max(LARGEST_MERGE) } else { max_bytes },
                max_records: if !by_bytes && batch.max_size == 0 { batch.min_size } else { max_records },
                alone_bytes: 0,
            },
            split_records: if by_bytes { 0 } else { batch.max_size },
            split_bytes: if by_bytes { batch.max_size } else { 0 },
        }
    }

    /// Whether enough waits.
    pub fn is_ripe(&self, waiting: Wanted) -> bool {
        waiting.bytes >= self.ripe.bytes || waiting.records >= self.ripe.records
    }

    /// When what arrived then must leave. `idle`: nothing is in flight.
    pub fn due(&self, arrived: Instant, idle: bool, last_left: Option<Instant>, draining: bool) -> Instant {
        if draining {
            arrived
        } else if self.eager && idle {
            last_left.map_or(arrived, |left| arrived.max(left + PACE))
        } else {
            arrived + self.linger
        }
    }
}
