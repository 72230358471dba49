//! `Window`: the counting of one group, in steps of time.
//!
//! Promises: a record is judged once and counted in exactly one step; what is held for a threshold is either folded when
//! the threshold is reached or said to be below it when its step leaves the window; state is a few numbers for each step.
//!
//! A window has `steps` of the length `every`. A tumbling window is one step as long as the window; a sliding one has
//! several, and the oldest leaves when the next begins. A window begins with the first record of its group, so groups do
//! not end all at once. A group is *active* while its window holds at least `threshold` records; without a threshold
//! that is from its first record on. All times are nanoseconds of the monotonic clock.

use smallvec::{SmallVec, smallvec};

/// What is the same for all groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    pub steps: usize,
    /// Length of a step.
    pub every: u64,
    /// Records in the window from which on a group is active; at least 1.
    pub threshold: u64,
    /// Only the record that makes a group active passes.
    pub dedup: bool,
    pub rate: Option<Rate>,
}

/// How many records of a group pass in a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Time in which one more may pass.
    pub interval: u64,
    /// How far ahead of that passing records may be: so many intervals less one may pass at once.
    pub tolerance: u64,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// It is folded until the group becomes active.
    Hold,
    /// It makes the group active: everything folded, and itself, goes out as a summary now.
    Cross,
    /// It is folded: the group is active and one record has passed.
    Duplicate,
    /// It is folded: too many have passed lately.
    RateLimited,
}

/// What the end of a step comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What is folded goes out now.
    pub emit: bool,
    /// So many folded records left the window without having made the group active.
    pub below: u64,
    /// Nothing is left to remember.
    pub over: bool,
}

/// The counts of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    pub active: bool,
    /// The step that counts now.
    pub current: usize,
    pub steps: SmallVec<[Step; 1]>,
    /// When the current step ends.
    pub due: u64,
    /// When the records that have passed would have been due, had they come evenly at the allowed rate.
    pub passed_until: u64,
}

/// The counts of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    pub records: u64,
    /// Of these, folded while the group was not active.
    pub held: u64,
}

impl Window {
    /// An empty window that begins now.
    pub fn begin(shape: &Shape, now: u64) -> Self {
        let steps = smallvec![Step::default(); shape.steps];
        Self { active: false, current: 0, steps, due: now.saturating_add(shape.every), passed_until: now }
    }

    /// Counts a record. Steps that have ended must have been turned before.
    pub fn count(&mut self, shape: &Shape, now: u64) -> Verdict {
        if let Some(step) = self.steps.get_mut(self.current) {
            step.records += 1;
            if !self.active {
                step.held += 1;
            }
        }
        if !self.active {
            if self.records() < shape.threshold {
                return Verdict::Hold;
            }
            self.active = true;
            self.steps.iter_mut().for_each(|step| step.held = 0);
            if shape.threshold > 1 {
                return Verdict::Cross;
            }
        } else if shape.dedup {
            return Verdict::Duplicate;
        }
        match shape.rate {
            Some(rate) if !self.has_room(rate, now) => Verdict::RateLimited,
            _ => Verdict::Pass,
        }
    }

    /// Says that the record counted last passes after all, because it cannot be folded.
    pub fn release(&mut self) {
        if let Some(step) = self.steps.get_mut(self.current) {
            step.held = step.held.saturating_sub(u64::from(!self.active));
        }
    }

    /// Ends every step that is over.
    pub fn turn(&mut self, shape: &Shape, now: u64) -> Turn {
        let (emit, mut below) = (self.active, 0);
        for _ in 0..shape.steps {
            if self.due > now {
                break;
            }
            self.current = (self.current + 1) % shape.steps.max(1);
            if let Some(step) = self.steps.get_mut(self.current) {
                below += std::mem::take(step).held;
            }
            self.due = self.due.saturating_add(shape.every);
        }
        if self.due <= now {
            self.due = now.saturating_add(shape.every);
        }
        let records = self.records();
        self.active &= records >= shape.threshold;
        let caught_up = shape.rate.is_none() || self.passed_until <= now;
        Turn { emit, below, over: records == 0 && caught_up }
    }

    /// Lets one pass if the rate allows it now.
    fn has_room(&mut self, rate: Rate, now: u64) -> bool {
        if self.passed_until > now.saturating_add(rate.tolerance) {
            return false;
        }
        self.passed_until = self.passed_until.max(now).saturating_add(rate.interval);
        true
    }

    fn records(&self) -> u64 {
        self.steps.iter().map(|step| step.records).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn shape(steps: usize, threshold: u64, dedup: bool, rate: Option<Rate>) -> Shape {
        Shape { steps, every: 10 * SECOND, threshold, dedup, rate }
    }

    /// Judges records at these seconds, turning the window before each as the table does.
    fn verdicts(shape: &Shape, seconds: &[u64]) -> (Vec<Verdict>, u64) {
        let (mut window, mut below) = (Window::begin(shape, seconds[0] * SECOND), 0);
        let judged = seconds.iter().map(|second| {
            let now = second * SECOND;
            if window.due <= now {
                below += window.turn(shape, now).below;
            }
            window.count(shape, now)
        });
        (judged.collect(), below)
    }

    /// Scenario: repeats inside a tumbling window of 10 s, at its end and behind it.
    /// Guarantee: the first of each window passes; the window's end is the first instant that is not in it.
    #[test]
    fn the_first_of_each_window_passes() {
        use Verdict::{Duplicate, Pass};
        let (judged, below) = verdicts(&shape(1, 1, true, None), &[5, 6, 14, 15, 16, 99]);
        assert_eq!(judged, [Pass, Duplicate, Duplicate, Pass, Duplicate, Pass]);
        assert_eq!(below, 0);
    }

    /// Scenario: a threshold of 3 in a tumbling window that two records miss, then three records in one window.
    /// Guarantee: the two are below; the third of the next window crosses, and what follows is a repeat.
    #[test]
    fn a_threshold_that_is_missed_starts_anew() {
        use Verdict::{Cross, Duplicate, Hold};
        let (judged, below) = verdicts(&shape(1, 3, true, None), &[0, 9, 10, 11, 12, 13]);
        assert_eq!(judged, [Hold, Hold, Hold, Hold, Cross, Duplicate]);
        assert_eq!(below, 2);
    }

    /// Scenario: the same times, but the window slides over 30 s in steps of 10 s.
    /// Guarantee: the third record crosses wherever the steps begin, and the group stays active while 3 are in the window.
    #[test]
    fn a_sliding_window_has_no_seams() {
        use Verdict::{Cross, Duplicate, Hold};
        let sliding = shape(3, 3, true, None);
        assert_eq!(verdicts(&sliding, &[0, 9, 10, 11]).0, [Hold, Hold, Cross, Duplicate]);
        let (judged, below) = verdicts(&sliding, &[0, 9, 31, 32, 33, 300]);
        assert_eq!(judged, [Hold, Hold, Hold, Hold, Cross, Hold]);
        assert_eq!(below, 2);
    }

    /// Scenario: repeats every 25 s in a window that slides over 30 s, then a pause of 31 s.
    /// Guarantee: the first passes, repeats are folded as long as there is no pause as long as the window.
    #[test]
    fn a_sliding_window_lasts_until_it_is_quiet() {
        use Verdict::{Duplicate, Pass};
        let (judged, _) = verdicts(&shape(3, 1, true, None), &[0, 19, 38, 57, 88]);
        assert_eq!(judged, [Pass, Duplicate, Duplicate, Duplicate, Pass]);
    }

    /// Scenario: two may pass at once and one every 5 s, in windows of 10 s.
    /// Guarantee: just that, and a new window gives no new allowance.
    #[test]
    fn a_rate_goes_over_the_seams_of_windows() {
        use Verdict::{Pass, RateLimited};
        let rate = Rate { interval: 5 * SECOND, tolerance: 5 * SECOND };
        let (judged, _) = verdicts(&shape(1, 1, false, Some(rate)), &[0, 0, 0, 5, 9, 10, 10, 100, 100, 100]);
        let expected = [Pass, Pass, RateLimited, Pass, RateLimited, Pass, RateLimited, Pass, Pass, RateLimited];
        assert_eq!(judged, expected);
    }

    /// Scenario: a window of the highest rate that is emptied, long after its end.
    /// Guarantee: it is remembered until its allowance is whole again, and no longer.
    #[test]
    fn a_group_is_over_when_nothing_is_left_to_remember() {
        let rate = Rate { interval: 15 * SECOND, tolerance: 0 };
        let shape = shape(1, 1, false, Some(rate));
        let mut window = Window::begin(&shape, 0);
        assert_eq!(window.count(&shape, 0), Verdict::Pass);
        assert_eq!(window.turn(&shape, 10 * SECOND), Turn { emit: true, below: 0, over: false });
        assert_eq!(window.turn(&shape, 20 * SECOND), Turn { emit: false, below: 0, over: true });
    }
}
