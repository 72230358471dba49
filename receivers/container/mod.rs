//! Lines of containers, whole again: what the readers of container logs share.

mod cri;
mod join;
mod json_file;
mod part;
#[cfg(test)]
mod tests;
mod unwrap;

#[cfg(test)]
pub use join::{CONTINUED, IDLE, MAX_LINE};
pub use join::{Joiner, Line};
pub use part::{PART_BYTES, Part, Stream, parse_time};
pub use unwrap::{Unwrapper, Whole, Wrapping};
