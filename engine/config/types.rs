//! Leaf types of configurations: text that is checked where it is read.
//!
//! Each has a `parse` with an error that says what would be right, and a JSON Schema `format` by which the checker
//! finds that parser, so that a bad leaf is reported with its place, whatever else is wrong.

mod duration;
mod listen;
mod pattern;
mod secret;
#[cfg(test)]
mod tests;

pub use duration::{Duration, InvalidDuration};
pub use listen::{InvalidListenAddress, ListenAddress};
pub use pattern::{InvalidPattern, Pattern};
pub use secret::Secret;
