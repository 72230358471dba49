//! The test data of the Falco projects, read from beside the project, never copied.
//! A clone without it skips these tests; with `CI` set it must be there. Each test prints how many cases it ran.

#![allow(clippy::unwrap_used, reason = "tests")]

mod cases;
mod compiler;
mod data;
mod evaluation;
mod event;
mod k8saudit;
mod loader;
mod output;
mod parser;
