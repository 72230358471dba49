//! Bounded polling, for what another process does.

use super::machine::Machine;
use std::{
    collections::BTreeSet,
    net::TcpListener,
    sync::Mutex,
    time::{Duration, Instant},
};

/// How many times as long is waited while the host of a virtual machine does not run it.
const STARVED: u32 = 5;

/// Polls until `check` gives something, for at most `limit`; longer on a machine that is not run.
///
/// # Panics
/// With `what` when the time is over.
pub fn until<T>(what: &str, limit: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let (start, machine) = (Instant::now(), Machine::watched());
    loop {
        if let Some(found) = check() {
            return found;
        }
        let late = start.elapsed() >= limit;
        let over = late && (start.elapsed() >= limit * STARVED || !machine.was_starved());
        assert!(!over, "{what}: not within {limit:?}");
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
