//! Arbitrary logs and arbitrary bytes, with prost as the oracle.

pub mod frames;
mod lend;
mod logs;
mod model;
mod pass;
mod salvage;
mod traces;
