//! Scenarios of `incidents`.

mod any_order;
mod bench;
mod golden;
mod scenarios;
