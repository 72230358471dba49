//! Arbitrary logs and arbitrary bytes, with prost as the oracle.

pub mod frames;
mod logs;
mod model;
mod salvage;
mod traces;
