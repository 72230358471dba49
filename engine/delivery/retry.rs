//! When to try again: exponential, jittered, honouring what the sink asks for.

use crate::config::RetryConfig;
use std::time::Duration;

/// While draining a dead sink is tried at least this often.
pub(super) const DRAIN_RETRY: Duration = Duration::from_secs(1);

/// The longest a sink may make us wait by Retry-After or RetryInfo.
pub(super) const LONGEST_ASKED: Duration = Duration::from_secs(600);

/// The delays between the attempts of one request.
#[derive(Clone, Debug)]
pub struct Backoff {
    nominal: Duration,
    max: Duration,
    multiplier: f64,
    factor: f64,
}

impl Backoff {
    /// Starts anew.
    pub fn new(config: &RetryConfig) -> Self {
        Self {
            nominal: config.initial_interval.0,
            max: config.max_interval.0,
            multiplier: config.multiplier.max(1.0),
            factor: config.randomization_factor.clamp(0.0, 1.0),
        }
    }

    /// The delay before the next attempt: drawn around the nominal value, and at least what the sink asked for
    /// (up to ten minutes).
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let nominal = self.nominal.min(self.max);
        self.nominal = nominal.mul_f64(self.multiplier).min(self.max);
        let drawn = nominal.mul_f64(1.0 + self.factor * (2.0 * fastrand::f64() - 1.0));
        drawn.max(asked.unwrap_or_default().min(LONGEST_ASKED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: many attempts with the Collector's defaults.
    /// Guarantee: each delay lies within the jitter of its nominal value, and the nominal value stops at the
    /// maximum; a sink's own delay is a floor, but not without a bound.
    #[test]
    fn grows_to_the_maximum_and_honours_the_sink() {
        let mut backoff = Backoff::new(&RetryConfig::default());
        let mut nominal = 5.0f64;
        for _ in 0..20 {
            let delay = backoff.next(None).as_secs_f64();
            assert!((nominal * 0.5 - 1e-6..=nominal * 1.5 + 1e-6).contains(&delay), "{delay} around {nominal}");
            nominal = (nominal * 1.5).min(30.0);
        }
        assert_eq!(backoff.next(Some(Duration::from_secs(120))), Duration::from_secs(120));
        assert_eq!(backoff.next(Some(Duration::from_secs(999_999))), LONGEST_ASKED);
    }
}
