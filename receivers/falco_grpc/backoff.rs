//! How long to wait before the next connection.

use std::time::Duration;

/// Delays: 0.2 s, doubled up to 4 s, each shortened by up to half at random, so that the Lanners of many nodes do not
/// come at once. Falco keeps alerts in memory without a bound while nobody takes them, so the longest is short.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(200);
    /// Below the 5 s after which a Falco that is back must have its client again.
    pub const LAST: Duration = Duration::from_secs(4);

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
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: Falco is away for a long time, then back, then away again.
    /// Guarantee: delays grow, never reach 5 s, differ between clients, and start small again.
    #[test]
    fn delays_grow_within_bounds() {
        let mut backoff = Backoff::default();
        let delays: Vec<Duration> = (0..100).map(|_| backoff.next_delay()).collect();
        assert!(delays[0] <= Backoff::FIRST && delays[0] >= Backoff::FIRST / 2);
        assert!(delays.iter().all(|delay| *delay <= Backoff::LAST && *delay < Duration::from_secs(5)));
        assert!(delays[10..].iter().all(|delay| *delay >= Backoff::LAST / 2));
        assert!(delays[10..].windows(2).any(|pair| pair[0] != pair[1]), "jitter");
        backoff.reset();
        assert!(backoff.next_delay() <= Backoff::FIRST);
    }
}
