//! The circuit breaker of a sender: whether attempts go out as they come, or one at a time.
//!
//! Promises
//! - Closed, it is in nobody's way. After [`FAILURES`] attempts in a row that may be repeated it opens: then one attempt
//!   at a time is made, each after a delay that grows like that of a request, and never before a time that the sink named.
//! - The first answer that is no such failure closes it, and everybody goes on at once.
//! - Nobody starves: requests take turns as probes, in the order in which they came, so that one that the sink cannot
//!   answer does not keep the circuit open.
//!
//! Why one probe and not none: requests in a queue are repeated without end anyway, so one of them is the best probe.

use super::retry::{Backoff, DRAIN_RETRY, LONGEST_ASKED};
use crate::{
    component::Drain,
    config::RetryConfig,
    event::Signal,
    telemetry::{Gauge, Telemetry},
};
use parking_lot::Mutex;
use std::time::Duration;
use tokio::{
    sync::{MutexGuard, Notify},
    time::Instant,
};

/// So many failures in a row open the circuit.
pub(super) const FAILURES: u32 = 5;

/// Values of `lanner_exporter_circuit_state`.
const CLOSED: i64 = 0;
const OPEN: i64 = 1;
const HALF_OPEN: i64 = 2;

/// See the head of the module.
pub(super) struct Circuit {
    state: Mutex<State>,
    /// Rings when the circuit closes, for the one who waits for the time of the next probe.
    closed: Notify,
    /// Whose turn it is while the circuit is open; fair.
    probe: tokio::sync::Mutex<()>,
    retry: RetryConfig,
    shown: Gauge,
}

enum State {
    Closed { failures: u32 },
    Open { backoff: Backoff, next: Instant },
}

/// The right to make one attempt.
#[must_use = "an attempt is made while this is held"]
pub(super) struct Turn<'a>(Option<MutexGuard<'a, ()>>);

impl Circuit {
    /// A closed circuit.
    pub fn new(retry: &RetryConfig, exporter: &str, signal: Signal, telemetry: &Telemetry) -> Self {
        let shown = telemetry.gauge(
            "lanner_exporter_circuit_state",
            "0: requests are sent as they come. 1: after repeated failures nothing is sent until the next probe. 2: a probe is on its way.",
            "1",
            &[("exporter", exporter), ("data_type", signal.as_str())],
        );
        shown.set(CLOSED);
        let (state, retry) = (Mutex::new(State::Closed { failures: 0 }), retry.clone());
        Self { state, closed: Notify::new(), probe: tokio::sync::Mutex::default(), retry, shown }
    }

    /// When the next probe may leave; `None` when the circuit is closed.
    fn next(&self) -> Option<Instant> {
        match &*self.state.lock() {
            State::Closed { .. } => None,
            State::Open { next, .. } => Some(*next),
        }
    }

    /// Whether only probes are sent.
    pub fn is_open(&self) -> bool {
        self.next().is_some()
    }

    /// Returns when an attempt may be made. A drain that begins meanwhile ends the waiting for the time of the probe, not
    /// that for the turn. Cancel-safe.
    pub async fn turn(&self, drain: &Drain) -> Turn<'_> {
        if !self.is_open() {
            return Turn(None);
        }
        let was_draining = drain.is_requested();
        let guard = self.probe.lock().await;
        while let Some(next) = self.next() {
            if next <= Instant::now() || (drain.is_requested() && !was_draining) {
                self.shown.set(HALF_OPEN);
                return Turn(Some(guard));
            }
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = self.closed.notified() => {}
                () = drain.requested(), if !was_draining => {}
            }
        }
        Turn(None)
    }

    /// The sink has answered in a way that is no failure of the sink.
    pub fn answered(&self) {
        let mut state = self.state.lock();
        if matches!(*state, State::Open { .. }) {
            self.shown.set(CLOSED);
            self.closed.notify_one();
        }
        *state = State::Closed { failures: 0 };
    }

    /// The attempt of this turn failed and may be repeated. When the next one may be made, if the circuit says so; if not,
    /// the request's own delay counts.
    pub fn failed(&self, turn: Turn<'_>, asked: Option<Duration>, draining: bool) -> Option<Duration> {
        let limit = |delay: Duration| if draining { delay.min(DRAIN_RETRY) } else { delay };
        let mut state = self.state.lock();
        match &mut *state {
            State::Closed { failures } => {
                *failures += 1;
                if *failures < FAILURES {
                    return None;
                }
                let mut backoff = Backoff::new(&self.retry);
                let delay = limit(backoff.next(asked));
                *state = State::Open { backoff, next: Instant::now() + delay };
                self.shown.set(OPEN);
                Some(delay)
            }
            State::Open { backoff, next } => {
                // Others that were on their way when the circuit opened only say how long the sink wants to rest.
                let delay = match turn.0 {
                    Some(_) => limit(backoff.next(asked)),
                    None => limit(asked.unwrap_or_default().min(LONGEST_ASKED)),
                };
                let soonest = Instant::now() + delay;
                *next = if turn.0.is_some() { soonest } else { soonest.max(*next) };
                self.shown.set(OPEN);
                Some(next.saturating_duration_since(Instant::now()))
            }
        }
    }
}
