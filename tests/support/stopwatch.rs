//! Time as the machine gives it, for bounds that are promises of the program and not of whoever owns the machine.
//!
//! Promises: what a [`Stopwatch`] shows is never more than what a clock shows, and the same on a machine that runs whoever
//! wants to run. Left out is time in which a processor was kept from this program: the host of a virtual machine gave it to
//! somebody else, a quota was used up. Waiting is not left out: a program that sleeps, or waits for a lock or a timer, leaves
//! the processors free, and time goes on.
//!
//! How: for each processor one thread sits on it, sleeps a [`TICK`] at a time, and counts how long that took, up to
//! [`LATE`]. A processor that nobody gets stands still with its thread. Of several processors the one counts that went least,
//! because what is measured may have waited for just that one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends with the place")]

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// How long a thread sleeps.
const TICK: Duration = Duration::from_millis(1);
/// A thread that sleeps longer than this was kept from running.
const LATE: Duration = Duration::from_millis(5);

/// What each processor has given since it is watched, in nanoseconds.
static GIVEN: LazyLock<Vec<Arc<AtomicU64>>> = LazyLock::new(|| {
    let allowed = sched_getaffinity(None).unwrap();
    (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).map(watch).collect()
});

/// Starts the thread of a processor, which ends with the program.
fn watch(cpu: usize) -> Arc<AtomicU64> {
    let given = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&given);
    std::thread::spawn(move || {
        let mut only = CpuSet::new();
        only.set(cpu);
        // Where that is forbidden the thread sits where the kernel puts it.
        let _ = sched_setaffinity(None, &only);
        let mut before = Instant::now();
        loop {
            std::thread::park_timeout(TICK);
            let now = Instant::now();
            count.fetch_add((now - before).min(LATE).as_nanos() as u64, Relaxed);
            before = now;
        }
    });
    given
}

/// Measures from when it was started.
pub struct Stopwatch {
    start: Instant,
    given: Vec<u64>,
}

impl Stopwatch {
    pub fn start() -> Self {
        let given = GIVEN.iter().map(|given| given.load(Relaxed)).collect();
        Self { start: Instant::now(), given }
    }

    /// The time that the machine has given since; up to a [`LATE`] less than what a clock shows.
    pub fn elapsed(&self) -> Duration {
        let given = GIVEN.iter().zip(&self.given).map(|(now, before)| now.load(Relaxed) - before).min();
        self.start.elapsed().min(Duration::from_nanos(given.unwrap_or_default()))
    }
}

/// Scenario: somebody waits for a tenth of a second, as for a lock or a timer.
/// Guarantee: waiting counts, as soon as the machine has given that much, and never for more than by the clock.
#[test]
fn waiting_counts() {
    let (start, watch) = (Instant::now(), Stopwatch::start());
    while watch.elapsed() < Duration::from_millis(100) {
        assert!(watch.elapsed() <= start.elapsed());
        assert!(start.elapsed() < Duration::from_secs(600), "the stopwatch stands still");
        std::thread::park_timeout(TICK);
    }
    assert!(start.elapsed() >= Duration::from_millis(100));
}
