//! `Drain`: the signal to stop taking new work.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use tokio_util::sync::CancellationToken;

/// Tells a component when to stop. Clones share the signal. A child drains with its parent or before it.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    token: CancellationToken,
    given: Arc<Given>,
}

/// Whether the signal was given, without the lock that asking the token takes: receivers ask for every event.
#[derive(Debug, Default)]
struct Given {
    here: AtomicBool,
    successor: AtomicBool,
    parent: Option<Arc<Given>>,
}

impl Drain {
    /// A signal of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// A signal that is given with this one, and may be given earlier.
    pub fn child(&self) -> Self {
        let given = Given { parent: Some(Arc::clone(&self.given)), ..Given::default() };
        Self { token: self.token.child_token(), given: Arc::new(given) }
    }

    /// Gives the signal.
    pub fn request(&self) {
        // First, so that whoever is woken finds it given; the token's lock orders the two.
        self.given.here.store(true, Relaxed);
        self.token.cancel();
    }

    /// Gives the signal to one that a reload replaces.
    pub fn request_for_successor(&self) {
        self.given.successor.store(true, Relaxed);
        self.request();
    }

    /// Whether another one goes on where this one stops, so that what is half done may be left to it.
    pub fn has_successor(&self) -> bool {
        self.levels().any(|given| given.successor.load(Relaxed))
    }

    /// Whether the signal was given.
    pub fn is_requested(&self) -> bool {
        self.levels().any(|given| given.here.load(Relaxed))
    }

    fn levels(&self) -> impl Iterator<Item = &Arc<Given>> {
        std::iter::successors(Some(&self.given), |given| given.parent.as_ref())
    }

    /// Returns once the signal was given. Cancel-safe.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }
}
