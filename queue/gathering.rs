//! When the writer has waited long enough for more appends to share a sync.
//!
//! Promises: an append waits for others only while some of those that were answered last have not come back, after those answers at
//! most for as long as the last sync took, within the bounds of [`SHORTEST`] and [`LONGEST`]; up to [`LONGEST`] as long as
//! they keep coming, [`MANY`] in each [`SHORTEST`]; who appends alone never does.
//!
//! Why: a sync costs the processor as much as dozens of small appends, however many share it. Senders who wait for answers come back
//! a moment after them, one by one; the first would have the next sync to himself, and the others would wait until it ends.

use std::time::{Duration, Instant};

/// Shared by so many appends a sync is cheap.
const ENOUGH: usize = 128;
/// Others are waited for at least so long after answers, however fast the disk is: it takes senders that long to come back.
const SHORTEST: Duration = Duration::from_millis(1);
/// At most so long, however slow it is.
const LONGEST: Duration = Duration::from_millis(5);
/// While so many come in each [`SHORTEST`], more are worth the wait.
const MANY: usize = 8;

/// See the head of the module.
#[derive(Debug, Default)]
pub struct Gathering {
    expected: usize,
    waits: Option<Waits>,
}

#[derive(Clone, Copy, Debug)]
struct Waits {
    until: Instant,
    /// As long as many come.
    longest: Instant,
    /// So many had come when the time was last set.
    seen: usize,
}

impl Gathering {
    /// At this moment so many appends are answered, whose sync took so long, while so many others wait.
    pub fn answered(&mut self, answered: usize, waiting: usize, took: Duration, now: Instant) {
        self.expected = (answered + waiting).min(ENOUGH);
        let until = now + took.clamp(SHORTEST, LONGEST);
        self.waits = Some(Waits { until, longest: now + LONGEST, seen: waiting });
    }

    /// How many appends are waited for, and until when, while so many wait or none has come yet; `None` when it is not worth it.
    pub fn wanted(&mut self, waiting: usize, now: Instant) -> Option<(usize, Instant)> {
        let waits = self.waits.as_mut()?;
        if waiting.max(1) >= self.expected {
            return None;
        }
        if waits.until <= now && now < waits.longest && waiting >= waits.seen + MANY {
            waits.until = (now + SHORTEST).min(waits.longest);
            waits.seen = waiting;
        }
        (now < waits.until).then_some((self.expected, waits.until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: one sender who comes back; four, one of whom was not answered; hundreds; all of them much later.
    /// Guarantee: one never waits; four wait for each other, as long as the sync took and no longer; hundreds do not.
    #[test]
    fn who_is_alone_never_waits() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        let took = Duration::from_millis(2);
        assert_eq!(gathering.wanted(1, now), None);
        gathering.answered(1, 0, took, now);
        assert_eq!((gathering.wanted(0, now), gathering.wanted(1, now)), (None, None));
        gathering.answered(3, 1, took, now);
        assert_eq!(gathering.wanted(0, now), Some((4, now + took)));
        assert_eq!(gathering.wanted(1, now), Some((4, now + took)));
        assert_eq!(gathering.wanted(4, now), None);
        assert_eq!(gathering.wanted(1, now + took), None);
        gathering.answered(200, 100, took, now);
        assert_eq!(gathering.wanted(ENOUGH, now), None);
    }

    /// Scenario: a disk that is faster than any sender, and one that takes a second.
    /// Guarantee: the wait stays within its bounds.
    #[test]
    fn the_wait_is_bounded() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        for (took, wait) in [(Duration::ZERO, SHORTEST), (Duration::from_secs(1), LONGEST)] {
            gathering.answered(2, 0, took, now);
            assert_eq!(gathering.wanted(1, now), Some((2, now + wait)));
        }
    }

    /// Scenario: dozens are answered by a fast disk and come back in dozens, in ones, or not at all.
    /// Guarantee: they are waited for as long as many come, and no longer than [`LONGEST`].
    #[test]
    fn many_are_waited_for_while_they_come() {
        let (mut gathering, now) = (Gathering::default(), Instant::now());
        gathering.answered(100, 0, SHORTEST, now);
        let mut waiting = 0;
        for step in 1..5 {
            waiting += MANY;
            assert_eq!(gathering.wanted(waiting, now + SHORTEST * step), Some((100, now + SHORTEST * (step + 1))));
        }
        assert_eq!(gathering.wanted(waiting + MANY, now + LONGEST), None);
        gathering.answered(100, 20, SHORTEST, now);
        assert_eq!(gathering.wanted(20 + MANY, now + SHORTEST), Some((120, now + SHORTEST * 2)));
        assert_eq!(gathering.wanted(20 + 2 * MANY - 1, now + SHORTEST * 2), None);
    }
}
