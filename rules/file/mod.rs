//! Rule files: from YAML to a [`Ruleset`](crate::ruleset::Ruleset).
//!
//! Promises: a file is taken as a whole or not at all; everything that is wrong with it is reported, each finding with
//! file, line, column and what to do; nothing in a file makes loading panic, or take more than bounded time and memory
//! ([`limits`]). Codes and the wording of messages that Falco's tests assert are Falco's, so that they can be looked up.
//!
//! The way of a file: text, YAML tree with spans (`yaml`), items (`item`), what has been collected over all files
//! so far (`collect`: redefinition, append, override), then everything is compiled: exceptions become part of
//! conditions (`exception_text`), lists are substituted in their text (`lists`), macros are resolved as trees
//! (`macros`), conditions and outputs are compiled per source (`build`).

mod build;
mod collect;
mod decode;
mod diagnostic;
mod event_types;
mod exception;
mod exception_text;
mod item;
pub mod limits;
mod lists;
mod loader;
mod macros;
mod names;
mod node;
mod rule_item;
mod sources;
mod version;
mod written;
mod yaml;

#[cfg(test)]
mod tests;

pub use diagnostic::{Code, Diagnostic, Severity};
pub use loader::{AppendOutput, Loader, Options, Report, load};
pub use version::Version;
