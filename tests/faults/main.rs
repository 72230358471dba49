//! The fault suite: the real binary with queues on disk, and everything that can go wrong. Which scenario is shown by which
//! test, here and elsewhere, is in docs/faults.md.
//!
//! A share of it runs with every `make test`; `make test-faults` sets `LANNER_FAULTS=long` and takes its time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends with the place")]

#[path = "../support/mod.rs"]
mod support;

mod rig;

mod attacks;
mod disk;
mod hostile_names;
mod http_sinks;
mod kills;
mod network;
mod nightly;
mod secrets;
mod sqlite;

/// Whether the long suite was asked for.
fn long() -> bool {
    std::env::var("LANNER_FAULTS").is_ok_and(|value| value == "long")
}
