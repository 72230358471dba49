//! The command `lanner` as a library, so that a distribution with components of its own is a `main` of a few lines:
//! see `examples/custom-component`.

mod check;
mod cli;
pub mod components;
mod quickstart;
mod service;

pub use cli::main;
