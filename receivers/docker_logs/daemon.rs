//! The connection to the daemon that everybody shares, and how long to wait before the next attempt.

use super::engine_api::{ApiError, Endpoint, Engine};
use lanner_engine::prelude::Drain;
use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::sleep;

/// A daemon that may be away. Connecting again agrees on an API version again, because an upgrade changes it.
pub struct Daemon {
    endpoint: Endpoint,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    engine: Option<Engine>,
    /// Whether its absence was reported, which is done once.
    reported: bool,
}

impl Daemon {
    /// Does not connect yet.
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, state: Mutex::default() }
    }

    /// The daemon, connected.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn engine(&self) -> Result<Engine, ApiError> {
        if let Some(engine) = self.state.lock().engine.clone() {
            return Ok(engine);
        }
        let connected = Engine::connect(&self.endpoint).await;
        let mut state = self.state.lock();
        match &connected {
            Ok(engine) => {
                state.engine = Some(engine.clone());
                if std::mem::take(&mut state.reported) {
                    tracing::info!(endpoint = %self.endpoint, "the Docker daemon is back");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut state.reported, true) {
                    let error = error as &dyn std::error::Error;
                    tracing::warn!(endpoint = %self.endpoint, error, "the Docker daemon cannot be reached; trying on");
                }
            }
        }
        connected
    }

    /// Connect again at the next use: the last one failed.
    pub fn lost(&self) {
        self.state.lock().engine = None;
    }
}

/// Delays between attempts: 0.5 s, doubled up to 15 s, each shortened by up to half at random so that many
/// followers do not come back at once.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(500);
    const LAST: Duration = Duration::from_secs(15);

    /// It works again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next delay.
    pub fn next_delay(&mut self) -> Duration {
        let full = Self::FIRST.saturating_mul(1 << self.failures.min(10)).min(Self::LAST);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// Waits for the next attempt, or for the drain.
    pub async fn wait(&mut self, drain: &Drain) {
        tokio::select! {
            () = drain.requested() => {}
            () = sleep(self.next_delay()) => {}
        }
    }
}
