//! The connections that requests to one server share, and when they are given up.
//!
//! Promise: connections on which a request had no answer in its time, and no other request had one meanwhile, get no more
//! requests (D12): the next one makes a new connection. What is still in flight on the old ones may end there; with the last of
//! it they are closed.
//!
//! Why: HTTP/2 clients keep a connection as long as TCP does, and something in between, such as a load balancer that hangs,
//! may acknowledge bytes for ever.

use lanner_engine::prelude::BoxError;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The way to the server, by clients of this kind.
pub struct Line<C> {
    make: Box<dyn Fn() -> Result<C, BoxError> + Send + Sync>,
    current: Mutex<Arc<Wire<C>>>,
}

/// A client with its connections, once they are made.
struct Wire<C> {
    client: C,
    /// How many requests ended by themselves.
    answers: AtomicU64,
}

impl<C> Line<C> {
    /// Connects with the first request. `make` gives a client without connections, each time it is called.
    ///
    /// # Errors
    /// There is no client to be had.
    pub fn new(make: impl Fn() -> Result<C, BoxError> + Send + Sync + 'static) -> Result<Self, BoxError> {
        let current = Mutex::new(wire(make()?));
        Ok(Self { make: Box::new(make), current })
    }

    /// The way for one request.
    pub fn begin(&self) -> UseOfLine<'_, C> {
        let wire = Arc::clone(&self.current.lock());
        let before = wire.answers.load(Relaxed);
        UseOfLine { line: self, wire, before, answered: false }
    }
}

fn wire<C>(client: C) -> Arc<Wire<C>> {
    Arc::new(Wire { client, answers: AtomicU64::new(0) })
}

/// A request on its way. Dropped without an answer, as when its time is over, it condemns the connections if these have been
/// silent since.
#[must_use = "a request that ended must say so"]
pub struct UseOfLine<'a, C> {
    line: &'a Line<C>,
    wire: Arc<Wire<C>>,
    before: u64,
    answered: bool,
}

impl<C> UseOfLine<'_, C> {
    pub fn client(&self) -> &C {
        &self.wire.client
    }

    /// The request ended by itself, well or not.
    pub fn answered(mut self) {
        self.answered = true;
        self.wire.answers.fetch_add(1, Relaxed);
    }
}

impl<C> Drop for UseOfLine<'_, C> {
    fn drop(&mut self) {
        if self.answered || self.wire.answers.load(Relaxed) != self.before {
            return;
        }
        let mut current = self.line.current.lock();
        // Of several requests without an answer the first has replaced it.
        if !Arc::ptr_eq(&current, &self.wire) {
            return;
        }
        match (self.line.make)() {
            Ok(client) => *current = wire(client),
            // What could be made once can be made again; if not, the old one may still work.
            Err(error) => tracing::warn!(%error, "A connection without an answer cannot be replaced."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    /// Scenario: requests are given up: one while another was answered, one in silence, two together in silence, and one
    /// when no new client is to be had.
    /// Guarantee: only silence condemns, once for all that were in flight; without a new client the old one stays.
    #[test]
    fn silence_condemns_a_connection_once() {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let line = Line::new(move || match count.fetch_add(1, Relaxed) {
            3 => Err("no certificate".into()),
            number => Ok(number),
        })
        .unwrap();
        let (slow, quick) = (line.begin(), line.begin());
        quick.answered();
        drop(slow);
        assert_eq!(answered(&line), 0);
        drop(line.begin());
        assert_eq!(answered(&line), 1);
        let both = [line.begin(), line.begin()];
        drop(both);
        assert_eq!(answered(&line), 2);
        drop(line.begin());
        assert_eq!((answered(&line), made.load(Relaxed)), (2, 4));
    }

    /// Which client a request that is answered has.
    fn answered(line: &Line<usize>) -> usize {
        let used = line.begin();
        let client = *used.client();
        used.answered();
        client
    }
}
