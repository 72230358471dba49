//! Bounded polling, for what another process does.

use std::time::{Duration, Instant};

/// A port for a program that a test starts.
pub use super::port::free as free_port;

/// Polls until `check` gives something, for at most `limit`.
///
/// # Panics
/// With `what` when the time is over.
pub fn until<T>(what: &str, limit: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {limit:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
