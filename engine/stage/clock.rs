//! The clocks of a stage: real ones, or a test's.

use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Nanoseconds since 1970.
    pub unix: u64,
    /// Nanoseconds since the clock was made; never goes back, whatever happens to the wall clock.
    pub monotonic: u64,
}

/// Tells the time. Clones share the source.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl Clock {
    /// The system's clocks.
    pub fn system() -> Self {
        let started = Instant::now();
        Self::from_fn(move || Now {
            unix: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, nanos),
            monotonic: nanos(started.elapsed()),
        })
    }

    /// Starts at `unix` (nanoseconds since 1970) and goes on with tokio's clock, which a test can pause.
    pub fn starting_at(unix: u64) -> Self {
        let started = tokio::time::Instant::now();
        Self::from_fn(move || {
            let monotonic = nanos(started.elapsed());
            Now { unix: unix.saturating_add(monotonic), monotonic }
        })
    }

    /// A clock of one's own.
    pub fn from_fn(read: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Reads it.
    pub fn now(&self) -> Now {
        (self.0)()
    }
}

/// A length of time in nanoseconds; the longest representable (584 years) when it is longer.
pub fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
