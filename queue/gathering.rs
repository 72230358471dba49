//! When the writer has waited long enough for more appends to share a sync.
//!
//! Promises: an append waits for others only while some of those that were answered last have not come back, at most until
//! [`PAUSE`] after those answers; who appends alone never does.
//!
//! Why: a sync costs the processor as much as dozens of small appends, however many share it. Senders who wait for answers come back
//! a moment after them, one by one; the first would have the next sync to himself, and the others would wait until it ends.

use std::time::{Duration, Instant};

/// Shared by so many appends a sync is cheap.
const ENOUGH: usize = 32;
/// How long after answers others are waited for.
const PAUSE: Duration = Duration::from_millis(1);

/// See the head of the module.
#[derive(Debug, Default)]
pub struct Gathering {
    expected: usize,
    until: Option<Instant>,
}

impl Gathering {
    /// At this moment so many appends are answered, while so many others wait.
    pub fn answered(&mut self, answered: usize, waiting: usize, now: Instant) {
        self.expected = (answered + waiting).min(ENOUGH);
        self.until = Some(now + PAUSE);
    }

    /// How many appends are waited for, and until when; `None` when it is not worth it.
    pub fn wanted(&self, waiting: usize, now: Instant) -> Option<(usize, Instant)> {
        let until = self.until.filter(|until| *until > now)?;
        (waiting < self.expected).then_some((self.expected, until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: one sender who comes back; four, one of whom was not answered; hundreds; all of them much later.
    /// Guarantee: one never waits; four wait for each other, as long as the pause lasts and no longer; hundreds do not.
    #[test]
    fn who_is_alone_never_waits() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        assert_eq!(gathering.wanted(1, now), None);
        gathering.answered(1, 0, now);
        assert_eq!(gathering.wanted(1, now), None);
        gathering.answered(3, 1, now);
        assert_eq!(gathering.wanted(1, now), Some((4, now + PAUSE)));
        assert_eq!(gathering.wanted(4, now), None);
        assert_eq!(gathering.wanted(1, now + PAUSE), None);
        gathering.answered(200, 100, now);
        assert_eq!(gathering.wanted(ENOUGH, now), None);
    }
}
