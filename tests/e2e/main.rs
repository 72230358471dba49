//! End-to-end tests: the real binary, real senders, real sinks, on loopback. One program, so that it links once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends with the place")]

#[path = "../support/mod.rs"]
mod support;

mod aggregate;
mod cli;
mod dead_sink;
mod docker;
mod docs;
mod falco_http;
mod file_log;
mod first_minute;
mod house;
mod image;
mod incidents;
mod malformed;
mod otlp_bombs;
mod otlp_sdk;
mod outage;
mod own_metrics;
mod pipelines;
mod queue;
mod quickstart;
mod reload;
mod routing;
mod rules;
mod rules_conformance;
mod shutdown;
mod sqlite;
mod state_directory;
mod stdin;
mod webhook;
