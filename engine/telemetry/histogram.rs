//! Histograms of Lanner itself, for what happens rarely and whose distribution matters.
//!
//! Promise: a value counts once where metrics are scraped and once where they are pushed over OTLP, also when it came before
//! the push was set up. Unlike counters they have a lock, so they are not for what happens to every event.

use parking_lot::Mutex;
use std::sync::Arc;

/// Values that are kept for a push that is yet to be set up, which happens within a second where there is one.
const MOST_PENDING: usize = 256;

/// Counts values by their size. Clones share it.
#[derive(Clone)]
pub struct Histogram(Arc<State>);

struct State {
    bounds: &'static [f64],
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    /// One more than there are bounds.
    counts: Vec<u64>,
    sum: f64,
    pending: Vec<f64>,
    push: Option<Push>,
}

/// Tells a value to the instrument that is pushed.
pub(super) type Push = Box<dyn Fn(f64) + Send>;

/// What a histogram has counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    /// Upper bounds, each with the number of values up to it.
    pub buckets: Vec<(f64, u64)>,
    pub sum: f64,
    pub count: u64,
}

impl Histogram {
    /// An empty one with these upper bounds, which grow.
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        let told = Told { counts: vec![0; bounds.len() + 1], ..Told::default() };
        Self(Arc::new(State { bounds, told: Mutex::new(told) }))
    }

    /// Counts a value.
    pub fn record(&self, value: f64) {
        let mut told = self.0.told.lock();
        let bucket = self.0.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = told.counts.get_mut(bucket) {
            *count += 1;
        }
        told.sum += value;
        match &told.push {
            Some(push) => push(value),
            None if told.pending.len() < MOST_PENDING => told.pending.push(value),
            None => {}
        }
    }

    /// What was counted so far.
    pub fn distribution(&self) -> Distribution {
        let told = self.0.told.lock();
        let mut count = 0;
        let mut below = told.counts.iter().map(|of| {
            count += of;
            count
        });
        let buckets = self.0.bounds.iter().copied().zip(&mut below).collect();
        let count = below.last().unwrap_or_default();
        Distribution { buckets, sum: told.sum, count }
    }

    /// The upper bounds.
    pub(super) fn bounds(&self) -> &'static [f64] {
        self.0.bounds
    }

    /// Tells all values to `make`'s instrument from now on, and those that came before; does nothing when there is one.
    pub(super) fn attach(&self, make: impl FnOnce() -> Push) {
        let mut told = self.0.told.lock();
        if told.push.is_none() {
            let push = make();
            told.pending.drain(..).for_each(&push);
            told.push = Some(push);
        }
    }
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Histogram").field(&self.distribution()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: values below, on and above the bounds; a push that comes late, and a second one.
    /// Guarantee: each value is in the bucket that ends at or above it; the first push hears every value once.
    #[test]
    fn values_count_once_in_both_views() {
        let histogram = Histogram::new(&[1.0, 10.0]);
        [0.0, 1.0, 10.0, 10.5].into_iter().for_each(|value| histogram.record(value));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hear = || {
            let heard = Arc::clone(&heard);
            let push: Push = Box::new(move |value| heard.lock().push(value));
            push
        };
        histogram.attach(hear);
        histogram.attach(hear);
        histogram.record(2.0);
        let buckets = vec![(1.0, 2), (10.0, 4)];
        assert_eq!(histogram.distribution(), Distribution { buckets, sum: 23.5, count: 5 });
        assert_eq!(*heard.lock(), [0.0, 1.0, 10.0, 10.5, 2.0]);
    }
}
