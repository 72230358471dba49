//! Which requests are printed: the first few of every second, then one in so many.

use std::time::Duration;
use tokio::time::Instant;

/// The Collector's window.
const WINDOW: Duration = Duration::from_secs(1);

/// Counts requests and picks those to print.
pub struct Sampling {
    initial: u64,
    thereafter: u64,
    window_start: Instant,
    in_window: u64,
}

impl Sampling {
    /// Prints `initial` requests in every second, then every `thereafter`th (0: none).
    pub fn new(initial: u64, thereafter: u64) -> Self {
        Self { initial, thereafter, window_start: Instant::now(), in_window: 0 }
    }

    /// Whether to print the request that arrives now.
    pub fn pick(&mut self) -> bool {
        let now = Instant::now();
        if now.duration_since(self.window_start) >= WINDOW {
            self.window_start = now;
            self.in_window = 0;
        }
        self.in_window += 1;
        match self.in_window.checked_sub(self.initial) {
            None | Some(0) => true,
            Some(beyond) => self.thereafter > 0 && beyond.is_multiple_of(self.thereafter),
        }
    }
}
