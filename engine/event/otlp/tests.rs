//! Arbitrary logs and arbitrary bytes, with prost as the oracle.
