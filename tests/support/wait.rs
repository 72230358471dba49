//! Bounded polling, for what another process does.

use super::stopwatch::Stopwatch;
use std::time::Duration;

/// A port for a program that a test starts.
pub use super::port::free as free_port;

/// Polls until `check` gives something, for at most `limit` of the time that the machine gives.
///
/// # Panics
/// With `what` when the time is over.
pub fn until<T>(what: &str, limit: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let watch = Stopwatch::start();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(watch.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
