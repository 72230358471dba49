//! Waiting, in a program without a runtime.

use std::{thread, time::Duration};

/// Blocks the thread for so long.
#[allow(clippy::disallowed_methods, reason = "no runtime here whose worker could be blocked")]
pub fn pause(length: Duration) {
    thread::sleep(length);
}
