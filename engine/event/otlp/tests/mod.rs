//! Arbitrary logs and arbitrary bytes, with prost as the oracle.

mod frames;
mod logs;
mod model;
