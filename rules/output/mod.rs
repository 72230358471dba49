//! Output templates: `user=%ka.user.name verb=%ka.verb`.
//!
//! Promises: a template that compiles can be rendered for every event; what an event says is put in as data and never
//! read again, so a value with `%` in it stays as it is. Field names are checked when the template is compiled, with
//! the place of what is wrong.
//!
//! After `%` and an optional width stands the longest text that is a field or a transformer; what follows is text
//! again: `%proc.nameand` is the field `proc.name` and "and". There is no escape for `%`. A `*` at the very beginning
//! says that missing values are `<NA>`; without it such an event has no message.

mod parse;
mod render;

pub use parse::{TemplateError, TemplateErrorKind};
pub use render::Rendered;

use crate::evaluate::OperandId;

/// A compiled template.
#[derive(Debug, Clone)]
pub struct Template {
    parts: Vec<Part>,
    /// Whether missing values are `<NA>`.
    lenient: bool,
    /// Everything that the template mentions, by name: fields, transformers, and what they are made of.
    names: Vec<(String, OperandId)>,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Value { operand: OperandId, width: Option<usize> },
}

impl Template {
    /// What the template mentions, sorted by name: the keys of `output_fields`.
    pub fn names(&self) -> &[(String, OperandId)] {
        &self.names
    }
}
