//! Scenarios. The pure ones take bytes and lines; `reconnect` runs the whole receiver against an engine that
//! misbehaves on purpose. A real engine is in `receivers/tests/docker_logs.rs`.

mod checkpoints;
mod churn;
mod config;
mod cursor;
pub mod fake_engine;
mod framing;
mod reconnect;
mod records;
