//! Evaluating compiled conditions.
//!
//! Promises: no allocation from the heap once the [`Arena`] is warm; time is linear in the condition and the values,
//! for regular expressions too (globs: product of pattern and text); never panics, whatever the values are. A check
//! whose field is missing is false, also `!=`; there is no third truth value.
//!
//! All conditions of a source are one [`Program`], a graph in which equal parts are the same node. Rules share most of
//! what they ask (the stage, the verb, the user), so each part is evaluated at most once per event, and only if a rule
//! comes to it: and/or stop early.

mod any;
mod arena;
mod getopt;
mod glob;
mod matcher;
mod path;
mod program;
mod run;
mod set;
mod transform;
mod value;

#[cfg(test)]
mod tests;

pub use arena::Arena;
pub(crate) use program::CheckId;
pub use program::{Field, FieldId, NodeId, OperandId, Program};
pub use run::{Fields, Run};
pub use value::Value;

pub(crate) use any::{Any, AnyNumber};
pub(crate) use glob::Glob;
pub(crate) use matcher::{Contained, Matcher, Number, Text};
pub(crate) use path::Paths;
pub(crate) use program::{Check, Constant, Node, Operand, Test};
pub(crate) use set::TextSet;
