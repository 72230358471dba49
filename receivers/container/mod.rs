//! Lines of containers, whole again: what the readers of container logs share.

mod join;
mod part;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub use join::{IDLE, MAX_LINE};
pub use join::{Joiner, Line};
pub use part::{PART_BYTES, Part, Stream, parse_time};
