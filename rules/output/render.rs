//! Messages from templates.

use super::{Part, Template};
use crate::evaluate::{Fields, Run, Value};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::fmt::{self, Display, Write};

/// Longest text of a list, in bytes.
const MAX_LIST: usize = 1023;

/// What became of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rendered {
    /// A message.
    Complete,
    /// None, because a value is missing and the template has no `*`.
    Missing,
}

impl Template {
    /// Writes the message for an event behind what is in `out`. If a value is missing, nothing is written.
    pub fn render<F: Fields + ?Sized>(&self, run: &Run<'_, F>, out: &mut String) -> Rendered {
        let start = out.len();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value { operand, width } => {
                    let value = run.value(*operand);
                    if !value.exists() && !self.lenient {
                        out.truncate(start);
                        return Rendered::Missing;
                    }
                    put(out, value, *width);
                }
            }
        }
        Rendered::Complete
    }

    /// Everything that the template mentions, as it is in an event. Sorted by name.
    pub fn values<'t, 'e, F: Fields + ?Sized>(
        &'t self,
        run: &'t Run<'e, F>,
    ) -> impl Iterator<Item = (&'t str, Value<'e>)> {
        self.names.iter().map(|(name, operand)| (name.as_str(), run.value(*operand)))
    }

    /// The same as something that can be serialized: a map from names to values, `null` where there is none.
    pub fn fields<'t, 'e, F: Fields + ?Sized>(&'t self, run: &'t Run<'e, F>) -> impl Serialize + use<'t, 'e, F> {
        OutputFields { template: self, run }
    }
}

/// Writes a value, filled up or cut to a width.
fn put(out: &mut String, value: Value<'_>, width: Option<usize>) {
    let start = out.len();
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
    let Some(width) = width else { return };
    let written = out.get(start..).unwrap_or_default();
    match written.char_indices().nth(width) {
        Some((cut, _)) => out.truncate(start + cut),
        None => {
            let missing = width - written.chars().count();
            out.extend(std::iter::repeat_n(' ', missing));
        }
    }
}

/// As in a message.
impl Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent | Self::List([]) => f.write_str("<NA>"),
            Self::Text(bytes) | Self::Bytes(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
            Self::Int(n) => write!(f, "{n}"),
            Self::Uint(n) => write!(f, "{n}"),
            Self::Float(n) => write!(f, "{n:.1}"),
            Self::Bool(is) => write!(f, "{is}"),
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::List(members) => {
                let mut text = String::from("(");
                for (index, member) in members.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(text, "{comma}{member}")?;
                    if text.len() > MAX_LIST {
                        break;
                    }
                }
                text.push(')');
                let mut end = text.len().min(MAX_LIST);
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                f.write_str(text.get(..end).unwrap_or_default())
            }
        }
    }
}

/// As in JSON output: numbers, booleans and lists stay what they are.
impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent | Self::List([]) => serializer.serialize_none(),
            Self::Text(bytes) | Self::Bytes(bytes) => serializer.serialize_str(&String::from_utf8_lossy(bytes)),
            Self::Int(n) => serializer.serialize_i64(*n),
            Self::Uint(n) => serializer.serialize_u64(*n),
            Self::Float(n) => serializer.serialize_f64(*n),
            Self::Bool(is) => serializer.serialize_bool(*is),
            Self::Ip(ip) => serializer.collect_str(ip),
            Self::List(members) => {
                let mut list = serializer.serialize_seq(Some(members.len()))?;
                for member in *members {
                    list.serialize_element(member)?;
                }
                list.end()
            }
        }
    }
}

struct OutputFields<'t, 'e, F: Fields + ?Sized> {
    template: &'t Template,
    run: &'t Run<'e, F>,
}

impl<F: Fields + ?Sized> Serialize for OutputFields<'_, '_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.template.names.len()))?;
        for (name, value) in self.template.values(self.run) {
            map.serialize_entry(name, &value)?;
        }
        map.end()
    }
}
