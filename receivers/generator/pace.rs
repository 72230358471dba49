//! `Pace`: how many alerts are due.
//!
//! Promises: over time exactly the rate, however coarse the timer; after a stall at most one second's worth at once.

use std::time::Duration;
use tokio::time::Instant;

/// High rates are made in steps of this, so that a timer tick serves several alerts.
const STEP: Duration = Duration::from_millis(5);
/// Most that is made up for after a stall.
const CATCH_UP: Duration = Duration::from_secs(1);

pub(super) struct Pace {
    /// Between two alerts.
    gap: Duration,
    /// Steps of one round, and the time from round to round.
    cycle: Option<(u64, Duration)>,
    /// When the next alert is due; set at the first call, so that building and running may lie apart.
    next: Option<Instant>,
    round_start: Option<Instant>,
    in_round: u64,
}

impl Pace {
    pub(super) fn new(rate: f64, cycle: Option<(u64, Duration)>) -> Self {
        // At least a nanosecond: the rate is at most a million. `rate` is above 0, and an overlong gap is cut.
        let gap = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::from_secs(u64::from(u32::MAX)));
        Self { gap, cycle, next: None, round_start: None, in_round: 0 }
    }

    /// Waits until something is due and says how many. Not more than to the end of a round.
    ///
    /// Cancel-safe: what was not returned is still due.
    pub(super) async fn due(&mut self) -> u64 {
        let next = *self.next.get_or_insert_with(Instant::now);
        tokio::time::sleep_until(if self.gap < STEP { next + STEP } else { next }).await;
        let now = Instant::now();
        let from = next.max(now.checked_sub(CATCH_UP).unwrap_or(next));
        let elapsed = now.saturating_duration_since(from);
        let mut due = 1 + (elapsed.as_nanos() / self.gap.as_nanos().max(1)) as u64;
        let round_start = *self.round_start.get_or_insert(from);
        let mut then = from + self.gap * u32::try_from(due).unwrap_or(u32::MAX);
        if let Some((steps, interval)) = self.cycle {
            due = due.min(steps - self.in_round);
            self.in_round += due;
            then = from + self.gap * u32::try_from(due).unwrap_or(u32::MAX);
            if self.in_round == steps {
                self.in_round = 0;
                then = then.max(round_start + interval);
                self.round_start = None;
            }
        }
        self.next = Some(then);
        due
    }
}
