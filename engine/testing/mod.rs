//! For authors of components: ends of a pipeline that tests can look into.
//!
//! [`Capture`] stands behind a receiver or a stage and can be told to be busy, draining, or stuck.

mod capture;

pub use capture::{Capture, Mood};
