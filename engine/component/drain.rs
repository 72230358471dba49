//! `Drain`: the signal to stop taking new work.

use tokio_util::sync::CancellationToken;

/// Tells a component when to stop. Clones share the signal. A child drains with its parent or before it.
#[derive(Clone, Debug, Default)]
pub struct Drain(CancellationToken);

impl Drain {
    /// A signal of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// A signal that is given with this one, and may be given earlier.
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }

    /// Gives the signal.
    pub fn request(&self) {
        self.0.cancel();
    }

    /// Whether the signal was given.
    pub fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Returns once the signal was given. Cancel-safe.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }
}
