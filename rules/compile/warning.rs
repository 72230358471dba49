//! What is allowed, and probably not meant.

use crate::language::{Limits, Operand, Span, Transformer, parse_operand, starts_transformer};
use crate::schema::Schema;

/// Something allowed that is probably not meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct Warning {
    /// What.
    pub kind: WarningKind,
    /// Where.
    pub span: Span,
}

/// What is probably not meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WarningKind {
    /// A text that is the name of a field.
    #[error(
        "'{value}' may be a valid field misused as a const string value; write val({value}) to compare with the field"
    )]
    FieldAsText {
        /// The text.
        value: String,
    },
    /// A text that is a transformer.
    #[error("'{value}' may be a valid field transformer misused as a const string value; write it without quotes")]
    TransformerAsText {
        /// The text.
        value: String,
    },
    /// A pattern that says less than it seems to.
    #[error("`regex` matches the whole text: '{pattern}' {hint}")]
    Regex {
        /// The pattern.
        pattern: String,
        /// What to write instead.
        hint: &'static str,
    },
    /// A pattern that Falco's engine does not know.
    #[error(
        "'{pattern}' uses {construct}, which Falco does not support; write it with POSIX classes such as [[:digit:]]"
    )]
    PerlRegex {
        /// The pattern.
        pattern: String,
        /// What is foreign in it.
        construct: &'static str,
    },
    /// Comparing with `<NA>`.
    #[error(
        "comparing {field} with <NA> is not safe; a missing field makes every check false, write `not {field} exists`"
    )]
    NotAvailable {
        /// The field.
        field: String,
    },
    /// A field that should not be used any more.
    #[error("the field {name} is deprecated: {reason}")]
    Deprecated {
        /// The field.
        name: String,
        /// Why.
        reason: &'static str,
    },
}

/// What a text could be mistaken for.
pub(super) fn misused(text: &[u8], schema: &dyn Schema) -> Option<WarningKind> {
    let text = std::str::from_utf8(text).ok()?;
    let is_transformer = starts_transformer(text);
    if !is_transformer && !text.contains('.') {
        return None;
    }
    let (operand, length) = parse_operand(text, Limits::default()).ok()?;
    if length != text.len() {
        return None;
    }
    let value = crate::language::shown(text);
    match operand {
        Operand::Field(field) => schema.field(&field.name).map(|_| WarningKind::FieldAsText { value }),
        Operand::Transform(transform) => {
            let known = transform.transformer == Transformer::Getopt || !transform.arguments.is_empty();
            known.then_some(WarningKind::TransformerAsText { value })
        }
    }
}

/// What is unusual about a pattern of `regex`.
pub(super) fn regex(pattern: &str) -> Vec<WarningKind> {
    let mut warnings = Vec::new();
    let edge = |wild: &str| pattern.starts_with(wild) || pattern.ends_with(wild);
    let hint = if pattern.starts_with('^') || pattern.ends_with('$') && !pattern.ends_with("\\$") {
        Some("needs no ^ and no $")
    } else if edge(".*") || edge(".+") || edge(".?") {
        Some("could be faster with contains, startswith or endswith")
    } else {
        None
    };
    let shown = crate::language::shown(pattern);
    warnings.extend(hint.map(|hint| WarningKind::Regex { pattern: shown.clone(), hint }));
    warnings.extend(perl(pattern).map(|construct| WarningKind::PerlRegex { pattern: shown, construct }));
    warnings
}

/// A construct that POSIX expressions do not have.
fn perl(pattern: &str) -> Option<&'static str> {
    let mut bytes = pattern.bytes().peekable();
    let mut in_class = false;
    let mut previous = b' ';
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(b'd' | b'D' | b's' | b'S' | b'w' | b'W') => return Some("a Perl class"),
                Some(b'b' | b'B') => return Some("a word boundary"),
                _ => {}
            },
            b'[' => in_class = true,
            b']' => in_class = false,
            b'(' if !in_class && bytes.peek() == Some(&b'?') => return Some("a group with flags or a name"),
            b'?' if !in_class && matches!(previous, b'*' | b'+' | b'?' | b'}') => return Some("a lazy repeat"),
            _ => {}
        }
        previous = byte;
    }
    None
}
