//! The whole receiver against a server that follows Falco's contract, over real sockets; and against servers that do not.

mod alerts;
mod config;
pub mod fake_falco;
mod guard;
mod hostile;
mod pressure;
mod reconnect;
mod running;
mod secure;
mod strangers;

use std::time::Duration;

/// Longest wait of a test for something that must happen.
const SOON: Duration = Duration::from_secs(30);
