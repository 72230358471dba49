//! A sink that asks to be left alone.
//!
//! Promises: nothing is sent before the time that the sink named; a short wait is sat out, so that what waits leaves on
//! time and in order; a long one is the engine's, whose queue is made for waiting.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// A wait that is longer is the engine's.
const SAT_OUT: Duration = Duration::from_secs(30);

/// Until when a sink wants to be left alone.
#[derive(Default)]
pub struct Pause(Mutex<Option<Instant>>);

/// Who waits.
#[derive(Debug, PartialEq, Eq)]
pub enum Wait {
    SatOut,
    Engine,
}

impl Pause {
    /// The sink asked for `wait` from now on.
    pub fn begin(&self, wait: Duration) -> Wait {
        *self.0.lock() = Some(Instant::now() + wait);
        if wait > SAT_OUT { Wait::Engine } else { Wait::SatOut }
    }

    /// How long the engine is to keep what it brings now.
    pub fn for_engine(&self) -> Option<Duration> {
        let until = (*self.0.lock())?;
        Some(until.saturating_duration_since(Instant::now())).filter(|left| *left > SAT_OUT)
    }

    /// When the next call may be made, which would be made at `next`.
    pub fn not_before(&self, next: Instant) -> Instant {
        self.0.lock().map_or(next, |until| until.max(next))
    }
}
