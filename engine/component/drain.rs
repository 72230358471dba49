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
    parent: Option<Arc<Given>>,
}

impl Drain {
    /// A signal of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// A signal that is given with this one, and may be given earlier.
    pub fn child(&self) -> Self {
        let given = Given { here: AtomicBool::new(false), parent: Some(Arc::clone(&self.given)) };
        Self { token: self.token.child_token(), given: Arc::new(given) }
    }

    /// Gives the signal.
    pub fn request(&self) {
        // First, so that whoever is woken finds it given; the token's lock orders the two.
        self.given.here.store(true, Relaxed);
        self.token.cancel();
    }

    /// Whether the signal was given.
    pub fn is_requested(&self) -> bool {
        let mut given = Some(&self.given);
        while let Some(level) = given {
            if level.here.load(Relaxed) {
                return true;
            }
            given = level.parent.as_ref();
        }
        false
    }

    /// Returns once the signal was given. Cancel-safe.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }
}
