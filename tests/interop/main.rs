//! Lanner between counterparts that are not ours: a real Collector here, real SDKs in the folders beside.
//!
//! `cargo test` leaves this program out, because it needs what the `run.sh` of each folder prepares; `make test-interop`
//! runs it, and a counterpart that is not there makes it fail.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends with the place")]

#[path = "../support/mod.rs"]
mod support;

mod canonical;
mod chain;
mod collector_process;
mod requests;
mod restart;
mod retry;
mod sender;
