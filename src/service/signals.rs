//! Signals.
//!
//! Promises: none is lost from the moment they are caught; the first SIGINT or SIGTERM asks for a drain, a second one exits at
//! once; SIGHUPs that nobody has seen to yet are one.

use lanner_engine::component::Drain;
use std::{
    io,
    sync::{Arc, OnceLock},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
    time::Instant,
};

/// What signals have asked for.
#[derive(Clone, Default)]
pub struct Signals {
    stop: Drain,
    stopped_at: Arc<OnceLock<Instant>>,
    reload: Arc<Notify>,
}

impl Signals {
    /// Catches signals from now on. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn catch() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let signals = Self::default();
        let caught = signals.clone();
        tokio::spawn(async move {
            loop {
                // 128 + the number of the signal, as shells report it.
                let code = tokio::select! {
                    _ = interrupt.recv() => 130,
                    _ = terminate.recv() => 143,
                    _ = hangup.recv() => {
                        caught.reload.notify_one();
                        continue;
                    }
                };
                if caught.stop.is_requested() {
                    eprintln!("lanner: second signal, exiting at once; what is queued in memory is lost");
                    std::process::exit(code);
                }
                caught.stopped_at.get_or_init(Instant::now);
                caught.stop.request();
            }
        });
        Ok(signals)
    }

    /// Returns once the process is to stop. Cancel-safe.
    pub async fn stop(&self) {
        self.stop.requested().await;
    }

    /// When the process was told to stop, or now.
    pub fn stopped_at(&self) -> Instant {
        self.stopped_at.get().copied().unwrap_or_else(Instant::now)
    }

    /// Returns once a reload is asked for. Cancel-safe.
    pub async fn reload(&self) {
        self.reload.notified().await;
    }
}
