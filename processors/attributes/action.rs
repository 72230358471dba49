//! A checked action, and what it does to attributes.

use crate::{digest, globs};
use lanner_conditions::{Field, Seen, Template};
use lanner_engine::{
    config::Pattern,
    event::{Reads, cut},
    prelude::*,
    semantics::keys,
};

/// Longest text that an action makes or reads, in bytes.
const MAX_TEXT: usize = 64 * 1024;

/// When a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Absent,
    Present,
    Always,
}

/// Where a value comes from.
pub(super) enum Source {
    Constant(Value),
    Field(Field),
    Template(Template),
}

/// Which attributes an action is for.
pub(super) enum Names {
    One(Key),
    Glob(globs::Name),
    Pattern(Pattern),
}

/// What a value becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// An integer; of a decimal number the part before the point.
    Int,
    /// A decimal number.
    Double,
    /// Text.
    String,
    /// `true` or `false`.
    Bool,
}

/// What is done.
pub(super) enum Action {
    Write {
        key: Key,
        when: When,
        source: Source,
    },
    Delete(Names),
    /// From one name to another.
    Rename {
        from: Key,
        to: Key,
    },
    /// Another beginning for all names with one beginning.
    RenameAll {
        from: String,
        to: String,
    },
    Hash {
        names: Names,
        key: [u8; 32],
    },
    /// Named groups of a text; the attributes by number of the group.
    Extract {
        key: Key,
        pattern: Pattern,
        groups: Vec<(usize, Key)>,
    },
    Convert {
        names: Names,
        to: Type,
    },
}

impl Names {
    fn one(&self) -> Option<Key> {
        match self {
            Self::One(key) => Some(key.clone()),
            Self::Glob(_) | Self::Pattern(_) => None,
        }
    }

    /// Never the identity of an event.
    fn has(&self, name: &Key) -> bool {
        let has = match self {
            Self::One(key) => return key == name,
            Self::Glob(glob) => glob.is_match(name.as_str()),
            Self::Pattern(pattern) => pattern.is_match(name.as_str()),
        };
        has && *name != *keys::UID
    }
}

impl Action {
    /// What of a record it looks at or changes; `None` when it may be any attribute.
    pub fn reads(&self) -> Option<Reads> {
        let keys: Vec<Key> = match self {
            Self::Write { key, .. } => vec![key.clone()],
            Self::Delete(names) | Self::Hash { names, .. } | Self::Convert { names, .. } => vec![names.one()?],
            Self::Rename { from, to } => vec![from.clone(), to.clone()],
            Self::RenameAll { .. } => return None,
            Self::Extract { key, groups, .. } => groups.iter().map(|(_, group)| group).chain([key]).cloned().collect(),
        };
        let source = match self {
            Self::Write { source: Source::Field(field), .. } => field.reads(),
            Self::Write { source: Source::Template(template), .. } => template.reads(),
            _ => Reads::default(),
        };
        Some(source.union(&keys.into_iter().collect()))
    }

    /// What the action writes, if it writes something.
    pub fn value(&self, seen: Seen<'_>) -> Option<Value> {
        let Self::Write { source, .. } = self else { return None };
        match source {
            Source::Constant(value) => Some(value.clone()),
            Source::Field(field) => field.to_owned(seen),
            Source::Template(template) => {
                let mut text = String::new();
                template.render(seen, &mut text);
                // Nothing is written when a value is missing.
                (!text.is_empty()).then(|| Value::text(cut(&text, MAX_TEXT)))
            }
        }
    }

    /// Does it; `value` is what [`value`](Self::value) gave. False when a value could not be converted; it stays.
    pub fn run(&self, attrs: &mut Attributes, value: Option<Value>) -> bool {
        match self {
            Self::Write { key, when, .. } => {
                let fits = match when {
                    When::Absent => !attrs.contains(key),
                    When::Present => attrs.contains(key),
                    When::Always => true,
                };
                if let Some(value) = value.filter(|_| fits) {
                    attrs.set(key.clone(), value);
                }
            }
            Self::Delete(Names::One(key)) => drop(attrs.remove(key)),
            Self::Delete(names) => attrs.retain(|key, _| !names.has(key)),
            Self::Rename { from, to } => {
                if let Some(value) = attrs.remove(from) {
                    attrs.set(to.clone(), value);
                }
            }
            Self::RenameAll { from, to } => rename_all(attrs, from, to),
            Self::Hash { names, key } => {
                for (_, value) in attrs.iter_mut().filter(|(name, _)| names.has(name)) {
                    *value = Value::text(digest::digest(key, &digest::bytes_of(value)));
                }
            }
            Self::Extract { key, pattern, groups } => extract(attrs, key, pattern, groups),
            Self::Convert { names, to } => {
                let mut converted = true;
                for (_, value) in attrs.iter_mut().filter(|(name, _)| names.has(name)) {
                    match converted_to(value, *to) {
                        Some(other) => *value = other,
                        None => converted = false,
                    }
                }
                return converted;
            }
        }
        true
    }
}

fn rename_all(attrs: &mut Attributes, from: &str, to: &str) {
    let renamed = |key: &Key| key.as_str().strip_prefix(from).map(|rest| format!("{to}{rest}"));
    if !attrs.iter().any(|(key, _)| renamed(key).is_some()) {
        return;
    }
    for (key, value) in std::mem::take(attrs) {
        match renamed(&key).filter(|name| !name.is_empty() && name != keys::UID.as_str()) {
            Some(name) if key != *keys::UID => attrs.set(Key::from_event(name.into()), value),
            _ => attrs.set(key, value),
        }
    }
}

fn extract(attrs: &mut Attributes, key: &Key, pattern: &Pattern, groups: &[(usize, Key)]) {
    let Some(Value::Text(text)) = attrs.get(key).cloned() else { return };
    let Some(captures) = pattern.0.captures(cut(&text, MAX_TEXT)) else { return };
    for (number, name) in groups {
        if let Some(part) = captures.get(*number) {
            attrs.set(name.clone(), Value::text(part.as_str()));
        }
    }
}

/// The value as this type; `None` when it cannot be.
fn converted_to(value: &Value, to: Type) -> Option<Value> {
    let text = match value {
        Value::Text(text) => Some(text.trim()),
        _ => None,
    };
    Some(match (to, value) {
        (Type::Int, Value::Int(_)) | (Type::Double, Value::Double(_)) => value.clone(),
        (Type::String, Value::Text(_)) | (Type::Bool, Value::Bool(_)) => value.clone(),
        (Type::Int, Value::Double(number)) => Value::Int(whole(*number)?),
        (Type::Int, Value::Bool(flag)) => Value::Int(i64::from(*flag)),
        (Type::Int, _) => Value::Int(text?.parse().ok()?),
        (Type::Double, Value::Int(number)) => Value::Double(*number as f64),
        (Type::Double, Value::Bool(flag)) => Value::Double(f64::from(u8::from(*flag))),
        (Type::Double, _) => Value::Double(text?.parse().ok().filter(|number: &f64| number.is_finite())?),
        (Type::Bool, Value::Int(number)) => Value::Bool(*number != 0),
        (Type::Bool, _) => Value::Bool(text?.to_ascii_lowercase().parse().ok()?),
        (Type::String, Value::Int(number)) => Value::text(number.to_string()),
        (Type::String, Value::Double(number)) => Value::text(number.to_string()),
        (Type::String, Value::Bool(flag)) => Value::text(flag.to_string()),
        (Type::String, Value::Array(_) | Value::Map(_)) => Value::text(value.to_json()),
        (Type::String, Value::Empty | Value::Bytes(_)) => return None,
    })
}

/// The part of a number before the point, when an integer can hold it.
fn whole(number: f64) -> Option<i64> {
    let part = number.trunc();
    // The bounds are exact: -2^63 fits, 2^63 does not.
    (part >= i64::MIN as f64 && part < i64::MAX as f64).then_some(part as i64)
}
