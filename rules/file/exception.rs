//! Exceptions of rules: reading, checking, and what they add to a condition.

use super::{
    decode::{About, Reader, Wrong},
    diagnostic::Code,
    node::{Node, NodeValue},
    sources::Spot,
};
use crate::{
    language::{Limits, Modifier, Operand, Operator, parse_operand},
    schema::{FieldProblem, Schema, resolve},
};

/// An exception.
#[derive(Debug, Clone)]
pub(super) struct Exception {
    pub name: String,
    pub about: About,
    pub fields: Option<Entry>,
    pub comps: Option<Entry>,
    pub values: Vec<Entry>,
}

/// A text or a list of such.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    Text(String, Spot),
    List(Vec<Entry>, Spot),
}

impl Entry {
    pub fn spot(&self) -> Spot {
        match self {
            Self::Text(_, spot) | Self::List(_, spot) => *spot,
        }
    }
}

/// Reads `exceptions`. `append`: whether they are added to a rule that may have them already.
pub(super) fn read(node: &Node, append: bool, rule: &About, reader: &mut Reader<'_>) -> Result<Vec<Exception>, Wrong> {
    let Some(members) = node.list() else {
        return Err(reader.error(rule, node.spot, "Rule exceptions must be a sequence; write `- name: ...`"));
    };
    let mut exceptions: Vec<Exception> = Vec::with_capacity(members.len());
    for member in members {
        let about = About::new("exception", None, member.spot);
        if !matches!(member.value, NodeValue::Map(_)) {
            return Err(reader.error(&about, member.spot, "Rule exception must be a mapping; write `- name: ...`"));
        }
        let name = reader.text(member, "name", &about)?.text;
        let about = About { name: Some(name.clone()), ..about };
        if exceptions.iter().any(|known| known.name == name) {
            let shown = crate::language::shown(&name);
            let message = format!("Multiple definitions of exception '{shown}' in the same rule; rename one of them");
            reader.warn(Code::ExceptionNameNotUnique, &about, member.spot, message);
        }
        reader.unknown_keys(member, &["name", "fields", "comps", "values"], &about);
        let fields = member.get("fields").filter(|node| !node.is_null());
        let fields = fields.map(|node| entry(node, &about, reader)).transpose()?;
        if fields.is_none() && !append {
            let message = "Item has no mapping for key 'fields'; write for example `fields: [proc.name]`";
            return Err(reader.error(&about, member.spot, message));
        }
        let comps = member.get("comps").filter(|node| !node.is_null());
        let comps = comps.map(|node| entry(node, &about, reader)).transpose()?;
        let values = match member.get("values") {
            Some(node) => match node.list() {
                Some(values) => values.iter().map(|value| entry(value, &about, reader)).collect::<Result<_, _>>()?,
                None => {
                    let message = "Rule exception values must be a sequence; write `values: [[a, b]]`";
                    return Err(reader.error(&about, node.spot, message));
                }
            },
            None => {
                if append {
                    let message = "Overriding/appending exception with no values; add `values: [...]`";
                    reader.warn(Code::AppendNoValues, &about, member.spot, message);
                }
                Vec::new()
            }
        };
        exceptions.push(Exception { name, about, fields, comps, values });
    }
    Ok(exceptions)
}

fn entry(node: &Node, about: &About, reader: &mut Reader<'_>) -> Result<Entry, Wrong> {
    match &node.value {
        NodeValue::Scalar(text) if text.is_empty() => {
            Err(reader.error(about, node.spot, "Value must be non-empty; write a text, or take it out"))
        }
        NodeValue::Scalar(text) => Ok(Entry::Text(text.clone(), node.spot)),
        // `[null]` is the word "null" where words are expected.
        NodeValue::Null => Ok(Entry::Text(reader.files.slice(node.spot).to_owned(), node.spot)),
        NodeValue::List(members) => {
            let members = members.iter().map(|member| entry(member, about, reader)).collect::<Result<_, _>>()?;
            Ok(Entry::List(members, node.spot))
        }
        NodeValue::Map(_) => Err(reader.error(about, node.spot, "a mapping where a text or a list must stand")),
    }
}

/// Checks fields and comparisons, and fills in the comparisons that are left out.
pub(super) fn check(
    exception: &mut Exception,
    schema: Option<&dyn Schema>,
    reader: &mut Reader<'_>,
) -> Result<(), Wrong> {
    let about = exception.about.clone();
    let Some(fields) = &exception.fields else {
        let message = "Rule exception must have fields property with a list of fields";
        return Err(reader.invalid(&about, about.spot, message));
    };
    match fields {
        Entry::Text(field, spot) => {
            let (field, spot) = (field.clone(), *spot);
            let comps = exception.comps.get_or_insert_with(|| Entry::Text("in".to_owned(), spot));
            let Entry::Text(comparison, comps_spot) = comps else {
                let spot = comps.spot();
                return Err(reader.invalid(&about, spot, "Fields and comps must both be strings, or both lists"));
            };
            *comparison = trimmed(comparison);
            let fits = Comparison::read(comparison).is_some_and(|comparison| comparison.takes_list());
            if !fits {
                let message = "When fields is a single value, comps must be one of (in, pmatch, intersects), or an \
                               operator with a modifier such as `startswith oneof`";
                return Err(reader.invalid(&about, *comps_spot, message));
            }
            check_field(&field, spot, schema, &about, reader)
        }
        Entry::List(fields, spot) => {
            let (fields, spot) = (fields.clone(), *spot);
            let equal = |_: &Entry| Entry::Text("=".to_owned(), spot);
            let comps = exception.comps.get_or_insert_with(|| Entry::List(fields.iter().map(equal).collect(), spot));
            let Entry::List(comps, comps_spot) = comps else {
                let message = "Fields and comps lists must have equal length; write `comps` as a list too";
                return Err(reader.invalid(&about, comps.spot(), message));
            };
            if comps.len() != fields.len() {
                return Err(reader.invalid(&about, *comps_spot, "Fields and comps lists must have equal length"));
            }
            for comparison in comps {
                let Entry::Text(text, spot) = comparison else {
                    return Err(reader.invalid(&about, comparison.spot(), "a list where an operator must stand"));
                };
                *text = trimmed(text);
                if Comparison::read(text).is_none() {
                    let shown = crate::language::shown(text);
                    let message = format!("'{shown}' is not a supported comparison operator");
                    return Err(reader.invalid(&about, *spot, message));
                }
            }
            for field in &fields {
                let Entry::Text(field, spot) = field else {
                    return Err(reader.invalid(&about, field.spot(), "a list where a field must stand"));
                };
                check_field(field, *spot, schema, &about, reader)?;
            }
            Ok(())
        }
    }
}

/// One blank between the words.
fn trimmed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn check_field(
    field: &str,
    spot: Spot,
    schema: Option<&dyn Schema>,
    about: &About,
    reader: &mut Reader<'_>,
) -> Result<(), Wrong> {
    let Some(schema) = schema else { return Ok(()) };
    let shown = crate::language::shown(field);
    let mut problem = String::new();
    let is_field = match parse_operand(field, Limits::default()) {
        Ok((Operand::Field(reference), length)) if length == field.len() => {
            match resolve(schema, &reference.name, reference.argument.as_deref()) {
                Err(FieldProblem::Unknown { suggestion, .. }) => {
                    problem = suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
                    false
                }
                // What stands in brackets is judged where the condition is compiled.
                _ => true,
            }
        }
        Ok((Operand::Transform(_), length)) => length == field.len(),
        _ => false,
    };
    if is_field {
        return Ok(());
    }
    Err(reader.invalid(about, spot, format!("'{shown}' is not a supported filter field{problem}")))
}

/// A comparison as `comps` writes it.
#[derive(Clone, Copy)]
pub(super) struct Comparison {
    operator: Operator,
    modifier: Option<Modifier>,
}

impl Comparison {
    pub fn read(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let operator = Operator::from_word(words.next()?)?;
        let modifier = words.next().map(|word| Modifier::from_word(word).ok_or(())).transpose().ok()?;
        let fits = modifier.is_none() || !operator.is_numeric() && !operator.takes_list();
        (fits && words.next().is_none()).then_some(Self { operator, modifier })
    }

    pub fn takes_list(self) -> bool {
        self.operator.takes_list() || self.modifier.is_some()
    }
}
