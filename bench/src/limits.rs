//! How many connections fit: a file descriptor each, here and in the peer.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are no connections.
const OTHERS: u64 = 200;

/// Raises the limit of descriptors, for this process and its children, as far as the system lets it. How many connections of those
/// asked for it holds.
pub fn connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let needed = (wanted as u64 + OTHERS).min(most);
    if limit.current.is_some_and(|current| current < needed) {
        // If that fails, the old limit holds.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum });
    }
    let current = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    wanted.min(usize::try_from(current.saturating_sub(OTHERS)).unwrap_or(usize::MAX))
}
