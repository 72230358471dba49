//! `Clock`: time limits of seconds, tested in milliseconds against real sockets.
//!
//! A paused clock alone would leap to the next timer whenever the kernel takes a moment to hand bytes over. This one walks:
//! [`STEP`] of the test's time for every [`BREATH`] of real time, in which sockets are looked at.

use std::{future::Future, pin::Pin, time::Duration};
use tokio_util::task::AbortOnDropHandle;

/// How far a step goes.
const STEP: Duration = Duration::from_millis(50);
/// How long a step takes.
const BREATH: Duration = Duration::from_millis(1);

/// Tokio's paused clock, handed in by the test because only test programs have it: `tokio::time::pause` and `advance`.
#[derive(Clone, Copy)]
pub struct Clock {
    pub pause: fn(),
    pub advance: fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Time goes fast until this is dropped; then it stands still.
pub(super) struct Fast {
    _walk: AbortOnDropHandle<()>,
    /// Tokio does not leap while a blocking task is there.
    _keep: std::sync::mpsc::Sender<()>,
}

impl Clock {
    /// Makes time fast from now on. Needs a runtime of one thread.
    pub(super) fn hurry(self) -> Fast {
        let (keep, kept) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || {
            let _ = kept.recv();
        });
        (self.pause)();
        let walk = tokio::spawn(async move {
            loop {
                let _ = tokio::task::spawn_blocking(|| std::thread::park_timeout(BREATH)).await;
                (self.advance)(STEP).await;
            }
        });
        Fast { _walk: AbortOnDropHandle::new(walk), _keep: keep }
    }
}
