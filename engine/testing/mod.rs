//! What tests of components are written with.

mod plan;

pub use plan::planning;
