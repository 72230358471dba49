//! What is wrong with a condition that can be read.

use crate::{
    language::{Operator, Span},
    schema::{FieldProblem, ImpossibleValue},
};

/// A condition that does not fit its fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct CompileError {
    /// What is wrong.
    pub kind: CompileErrorKind,
    /// Where.
    pub span: Span,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileErrorKind {
    /// A field that is not there, or not so.
    #[error(transparent)]
    Field(#[from] FieldProblem),
    /// A value that the field never has.
    #[error(transparent)]
    Value(#[from] ImpossibleValue),
    /// A macro that is not defined.
    #[error("Undefined macro '{name}' used in filter.")]
    UnknownMacro {
        /// As written.
        name: String,
    },
    /// A macro that needs itself.
    #[error("the macro '{name}' refers to itself; take it out of one of the macros it is made of")]
    MacroLoop {
        /// Its name.
        name: String,
    },
    /// Nested too deep, macros included.
    #[error("nested more than {} deep, macros included; flatten it", super::MAX_DEPTH)]
    TooDeep,
    /// Too many parts.
    #[error("the rules have more than {} different parts", super::MAX_NODES)]
    TooLarge,
    /// The operator has no meaning for the field's type.
    #[error("`{}` does not fit a field that is {kind}; use {remedy}", operator.word())]
    Operator {
        /// As written.
        operator: Operator,
        /// The type, in words.
        kind: &'static str,
        /// What fits.
        remedy: &'static str,
    },
    /// A list field with an operator for one value.
    #[error("`{}` compares one value, and the field has many; use `in` (all of them) or `intersects` (any)", operator.word())]
    ListOperator {
        /// As written.
        operator: Operator,
    },
    /// A modifier where none fits.
    #[error("oneof, anyof and allof do not fit here; {remedy}")]
    Modifier {
        /// What to do.
        remedy: &'static str,
    },
    /// A value that cannot be read as the field's type.
    #[error("`{value}` is not {wanted}")]
    BadValue {
        /// As written.
        value: String,
        /// What the type needs.
        wanted: &'static str,
    },
    /// A NUL byte in text.
    #[error("text cannot have a NUL byte; only fields that are bytes can be compared with one")]
    Nul,
    /// A regular expression that cannot be compiled.
    #[error("not a regular expression: {reason}")]
    Regex {
        /// Why.
        reason: String,
    },
    /// All of them together would need too much memory.
    #[error("the regular expressions of the rules need more than {} MiB; use fewer, or `glob`", super::right::REGEXES >> 20)]
    TooManyRegexes,
    /// A field or transformer where a text must stand.
    #[error("the right side of `{}` must be text, not a field", operator.word())]
    RightField {
        /// As written.
        operator: Operator,
    },
    /// Two sides that cannot be compared.
    #[error("the left side is {left}, the right side {right}; compare fields of the same type")]
    Types {
        /// Left type.
        left: String,
        /// Right type.
        right: String,
    },
    /// A field that can be used only plainly.
    #[error("the field `{name}` can only stand on the left side, without a transformer")]
    PlainOnly {
        /// The field.
        name: String,
    },
    /// A transformer with arguments that do not fit.
    #[error("`{transformer}` takes {wanted}")]
    Arguments {
        /// Its name.
        transformer: &'static str,
        /// What it takes.
        wanted: &'static str,
    },
    /// Brackets behind a transformer that has no parts.
    #[error("transformer '{transformer}' does not support field arguments; remove the brackets")]
    TransformerKey {
        /// Its name.
        transformer: &'static str,
    },
}

impl CompileErrorKind {
    /// Whether it is about a field or a value that this build does not know, which
    /// `skip-if-unknown-filter` forgives.
    pub fn is_unknown_filter(&self) -> bool {
        matches!(self, Self::Field(FieldProblem::Unknown { .. }) | Self::Value(_))
    }
}
