//! The tests of the log, by what can go wrong.

mod crash;
mod model;
