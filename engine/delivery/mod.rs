//! Delivery: what happens between a receiver's `consume` and the last attempt of an exporter.
