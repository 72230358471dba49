//! Lanner between counterparts that are not ours: a real Collector, a real Kafka, the SDK for Python.
//!
//! `cargo test` leaves this program out, because it needs what the `run.sh` of each folder prepares; `make test-interop`
//! runs it, and a counterpart that is not there makes it fail.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends with the place")]

#[path = "../support/mod.rs"]
mod support;

mod canonical;
mod collector;
mod kafka;
mod python;
mod requests;
mod sender;
