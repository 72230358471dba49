//! End-to-end tests: the real binary, real senders, real sinks, on loopback. One program, so that it links once.

#[path = "../support/mod.rs"]
mod support;

mod cli;
mod dead_sink;
mod docker;
mod docs;
mod falco_http;
mod house;
mod image;
mod malformed;
mod quickstart;
mod shutdown;
