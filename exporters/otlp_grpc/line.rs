//! The connection that all requests share, and when it is given up.
//!
//! Promise: a connection on which a request had no answer in its time, and no other request had one meanwhile, gets no more
//! requests (D12): the next one makes a new connection. What is still in flight on the old one may end there.
//!
//! Why: HTTP/2 clients keep a connection as long as TCP does, and something in between, such as a load balancer that hangs,
//! may acknowledge bytes for ever.

use super::{Body, connect::Connector};
use hyper_util::client::legacy::{Builder, Client};
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The way to the server.
pub struct Line {
    builder: Builder,
    connector: Connector,
    current: Mutex<Arc<Wire>>,
}

/// One connection, once it is made.
struct Wire {
    client: Client<Connector, Body>,
    /// How many requests ended by themselves.
    answers: AtomicU64,
}

impl Line {
    /// Connects with the first request.
    pub fn new(builder: Builder, connector: Connector) -> Self {
        let current = Mutex::new(wire(&builder, &connector));
        Self { builder, connector, current }
    }

    /// The way for one request.
    pub fn begin(&self) -> UseOfLine<'_> {
        let wire = Arc::clone(&self.current.lock());
        let before = wire.answers.load(Relaxed);
        UseOfLine { line: self, wire, before, answered: false }
    }
}

fn wire(builder: &Builder, connector: &Connector) -> Arc<Wire> {
    Arc::new(Wire { client: builder.build(connector.clone()), answers: AtomicU64::new(0) })
}

/// A request on its way. Dropped without an answer, as when its time is over, it condemns the connection if that has been
/// silent since.
#[must_use = "a request that ended must say so"]
pub struct UseOfLine<'a> {
    line: &'a Line,
    wire: Arc<Wire>,
    before: u64,
    answered: bool,
}

impl UseOfLine<'_> {
    pub fn client(&self) -> &Client<Connector, Body> {
        &self.wire.client
    }

    /// The request ended by itself, well or not.
    pub fn answered(mut self) {
        self.answered = true;
        self.wire.answers.fetch_add(1, Relaxed);
    }
}

impl Drop for UseOfLine<'_> {
    fn drop(&mut self) {
        if self.answered || self.wire.answers.load(Relaxed) != self.before {
            return;
        }
        let mut current = self.line.current.lock();
        // Of several requests without an answer the first has replaced it.
        if Arc::ptr_eq(&current, &self.wire) {
            *current = wire(&self.line.builder, &self.line.connector);
        }
    }
}
