//! The text of conditions: parsing, the tree, printing.
//!
//! Promises: [`parse`] accepts and rejects what Falco does (deviations are listed in the README); it never panics,
//! and its time and memory are linear in the text, which is bounded ([`Limits`]); an error has its place.
//!
//! There is no separate lexer, because the language has none: whether `in` is an operator, a value or the start of a
//! macro's name depends on where it stands, and alternatives are tried in a fixed order. So the parser reads
//! characters, and the order in which it tries things is the definition of the language.

mod ast;
mod cursor;
mod error;
mod grammar;
mod operands;
mod print;
mod quoted;
#[cfg(test)]
mod tests;

pub use ast::{
    Argument, Comparison, Expr, ExprKind, FieldRef, Modifier, Operand, Operator, Right, Transform, Transformer, Value,
};
pub(crate) use cursor::{is_blank, is_delimiter, is_name};
pub use error::{Expected, Place, Span, SyntaxError, SyntaxErrorKind};
pub(crate) use error::{excerpt, shown};
pub use grammar::{Dialect, Limits, parse, parse_with};
pub(crate) use grammar::{parse_operand, starts_transformer};
