//! Reading templates.

use super::{Part, Template};
use crate::{
    compile::Compiler,
    evaluate::OperandId,
    language::{Argument, FieldRef, Limits, Operand, Span, parse_operand, shown, starts_transformer},
    schema::{FieldProblem, resolve},
};
use std::collections::BTreeMap;

/// Widest a value can be made, in characters.
const MAX_WIDTH: usize = 1024;
/// Longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 4096;

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct TemplateError {
    /// What.
    pub kind: TemplateErrorKind,
    /// Where.
    pub span: Span,
}

/// What can be wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateErrorKind {
    /// No field and no transformer behind a `%`.
    #[error("invalid formatting token {token}{}", .suggestion.as_deref().map(|name| format!("; did you mean %{name}?")).unwrap_or_default())]
    Token {
        /// What stands there.
        token: String,
        /// What it could have meant.
        suggestion: Option<String>,
    },
    /// A transformer or an argument that does not fit.
    #[error("invalid formatting token {token}: {reason}")]
    Unfit {
        /// What stands there.
        token: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl TemplateErrorKind {
    /// Whether it is about a field that this build does not know, which `skip-if-unknown-filter` forgives.
    pub fn is_unknown_filter(&self) -> bool {
        matches!(self, Self::Token { .. })
    }
}

impl Template {
    /// Compiles a template; `limits` are for each of its fields.
    ///
    /// # Errors
    /// Every token that is wrong.
    pub fn compile(text: &str, limits: Limits, compiler: &mut Compiler<'_>) -> Result<Self, Vec<TemplateError>> {
        let (lenient, mut at) = if text.starts_with('*') { (true, 1) } else { (false, 0) };
        let mut parts = Vec::new();
        let mut names = BTreeMap::new();
        let mut errors = Vec::new();
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let percent = memchr::memchr(b'%', rest.as_bytes()).unwrap_or(rest.len());
            if let Some(literal) = rest.get(..percent).filter(|literal| !literal.is_empty()) {
                parts.push(Part::Text(literal.to_owned()));
            }
            at += percent + 1;
            let Some(behind) = text.get(at..) else { break };
            let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
            let width = behind.get(..digits).and_then(|digits| digits.parse::<usize>().ok());
            let start = at + digits;
            let Some(token) = text.get(start..) else { break };
            match read(token, limits, compiler) {
                Ok((operand, length)) => {
                    at = start + length;
                    let part = mention(&operand, compiler, &mut names);
                    let width = width.map(|width| width.min(MAX_WIDTH));
                    parts.extend(part.map(|operand| Part::Value { operand, width }));
                }
                Err((kind, length)) => {
                    let offset = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                    let span = Span { text: limits.text, start: offset(start - 1), end: offset(start + length) };
                    errors.push(TemplateError { kind, span });
                    at = start + length;
                }
            }
        }
        if errors.is_empty() { Ok(Self { parts, lenient, names: names.into_iter().collect() }) } else { Err(errors) }
    }
}

/// The longest operand that a text begins with, and its length; or what is wrong, and how far.
fn read(
    text: &str,
    limits: Limits,
    compiler: &mut Compiler<'_>,
) -> Result<(Operand, usize), (TemplateErrorKind, usize)> {
    let mut end = text.len().min(MAX_TOKEN);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text.get(..end).unwrap_or_default();
    let word = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')).count();
    let name = text.get(..word).unwrap_or_default();
    if starts_transformer(text) {
        let token = shown(text.split_whitespace().next().unwrap_or_default());
        let unfit = |reason: String, length: usize| (TemplateErrorKind::Unfit { token: token.clone(), reason }, length);
        let (operand, length) = parse_operand(text, limits).map_err(|error| unfit(error.to_string(), word))?;
        return match compiler.operand(&operand) {
            Ok(_) => Ok((operand, length)),
            Err(errors) => {
                let unknown = errors.iter().any(|error| error.kind.is_unknown_filter());
                let reason = errors.first().map(|error| error.kind.to_string()).unwrap_or_default();
                let token = token.clone();
                let kind = match unknown {
                    true => TemplateErrorKind::Token { token: format!("{token}: {reason}"), suggestion: None },
                    false => TemplateErrorKind::Unfit { token, reason },
                };
                Err((kind, length))
            }
        };
    }
    let schema = compiler.schema();
    for end in (1..=word).rev() {
        let Some(prefix) = text.get(..end) else { continue };
        if schema.field(prefix).is_none() {
            continue;
        }
        // With what stands in brackets, if the field takes it.
        if text.as_bytes().get(end) == Some(&b'[')
            && let Ok((Operand::Field(field), length)) = parse_operand(text, limits)
            && field.name == prefix
            && resolve(schema, &field.name, field.argument.as_deref()).is_ok()
        {
            return Ok((Operand::Field(field), length));
        }
        return match resolve(schema, prefix, None) {
            Ok(_) => {
                let field = FieldRef { name: prefix.to_owned(), argument: None, span: Span::default() };
                Ok((Operand::Field(field), end))
            }
            Err(problem) => {
                Err((TemplateErrorKind::Unfit { token: prefix.to_owned(), reason: problem.to_string() }, end))
            }
        };
    }
    let suggestion = match resolve(schema, name, None) {
        Err(FieldProblem::Unknown { suggestion, .. }) => suggestion,
        _ => None,
    };
    Err((TemplateErrorKind::Token { token: shown(name), suggestion }, word))
}

/// Compiles an operand and everything it is made of, and notes their names.
fn mention(
    operand: &Operand,
    compiler: &mut Compiler<'_>,
    names: &mut BTreeMap<String, OperandId>,
) -> Option<OperandId> {
    if let Operand::Transform(transform) = operand {
        let mut arguments: Vec<&Argument> = transform.arguments.iter().collect();
        while let Some(argument) = arguments.pop() {
            match argument {
                Argument::Operand(inner) => {
                    mention(inner, compiler, names);
                }
                Argument::List(members, _) => arguments.extend(members),
                Argument::Text(_) => {}
            }
        }
    }
    let id = compiler.operand(operand).ok()?;
    names.insert(operand.canonical(), id);
    Some(id)
}
