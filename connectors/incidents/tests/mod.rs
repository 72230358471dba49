//! Scenarios of `incidents`.

mod bench;
mod golden;
