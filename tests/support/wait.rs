//! Bounded polling, for what another process does.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    sync::Mutex,
    time::{Duration, Instant},
};

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

/// A port that is free now and was not given to anybody in this program before.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}
