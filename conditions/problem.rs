//! What is wrong with a condition, a field or a template, for the person who wrote it.

use lanner_rules::{
    compile::{CompileError, CompileErrorKind},
    language::{Span, SyntaxError},
    output::TemplateError,
    schema::FieldProblem,
};

/// One thing that is wrong, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    message: String,
}

impl Problem {
    pub(crate) fn syntax(error: &SyntaxError, text: &str) -> Self {
        Self::at(error.kind.to_string(), error.span, text)
    }

    pub(crate) fn compile(error: &CompileError, text: &str) -> Self {
        let message = match &error.kind {
            CompileErrorKind::Field(FieldProblem::Unknown { name, suggestion }) => {
                let attribute =
                    if name.contains('.') { format!(" An attribute is `attr[{name}]`.") } else { String::new() };
                match suggestion {
                    Some(near) => format!("there is no field `{name}`; did you mean `{near}`?{attribute}"),
                    None => {
                        format!("there is no field `{name}`; fields have Falco's names or OpenTelemetry's.{attribute}")
                    }
                }
            }
            CompileErrorKind::UnknownMacro { name } => {
                format!("`{name}` stands alone; compare it with something, for example `{name} = x` or `{name} exists`")
            }
            other => other.to_string(),
        };
        Self::at(message, error.span, text)
    }

    pub(crate) fn template(error: &TemplateError, text: &str) -> Self {
        Self::at(error.kind.to_string(), error.span, text)
    }

    pub(crate) fn not_a_field(text: &str) -> Self {
        let shown: String = text.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect();
        Self { message: format!("`{shown}` is no field; write a name such as `proc.name` or `attr[team]`") }
    }

    /// Puts the place before the remedy.
    fn at(message: String, span: Span, text: &str) -> Self {
        let place = span.place(text);
        let place = match text.contains('\n') {
            true => format!("line {}, column {}", place.line, place.column),
            false => format!("column {}", place.column),
        };
        let message = match message.split_once("; ") {
            Some((what, remedy)) => format!("{what} ({place}); {remedy}"),
            None => format!("{message} ({place})"),
        };
        Self { message }
    }
}
