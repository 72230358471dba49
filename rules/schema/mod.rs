//! Which fields an event source has, and of which type they are.
//!
//! Promises: a condition that compiles against a schema asks an event only for fields of that schema, by number. What
//! an unknown field could have meant is part of the error.

mod catalog;
mod suggest;

pub use catalog::{Catalog, Row};
pub use suggest::nearest;

/// The fields of an event source.
pub trait Schema {
    /// The field of this name; `None` if there is none.
    fn field(&self, name: &str) -> Option<FieldSpec>;

    /// All names, for suggestions.
    fn names(&self) -> Vec<&str>;

    /// Whether the field of this number ([`FieldSpec::key`]) can have this value. `Err` says why not; a condition that
    /// compares with it is refused.
    ///
    /// # Errors
    /// What is wrong with the value.
    fn check_value(&self, _key: u32, _value: &[u8]) -> Result<(), ImpossibleValue> {
        Ok(())
    }

    /// The place of a word in the order of a field that is [`Kind::Rank`]. The field's values are these numbers.
    ///
    /// # Errors
    /// The word has no place.
    fn rank(&self, _key: u32, _word: &[u8]) -> Result<i64, ImpossibleValue> {
        Err(ImpossibleValue("the field has no order".to_owned()))
    }
}

/// A value that a field never has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ImpossibleValue(pub String);

/// What is known of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSpec {
    /// The schema's own number for it; comes back in [`crate::evaluate::Field::key`].
    pub key: u32,
    /// The type of its values.
    pub kind: Kind,
    /// Whether it has many values.
    pub is_list: bool,
    /// What may stand in brackets.
    pub argument: ArgumentSpec,
    /// The argument, where the name itself has it: `evt.arg.path`.
    pub implied: Option<String>,
    /// Whether it can stand only on the left side, untransformed.
    pub plain_only: bool,
    /// Why it should not be used any more.
    pub deprecated: Option<&'static str>,
}

/// The type of a field's values. It decides which operators fit and how a right side is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Text.
    Text,
    /// Bytes, not necessarily text.
    Bytes,
    /// An integer of either sign.
    Int,
    /// A count, a time in nanoseconds, a port.
    Uint,
    /// A number with a fraction.
    Float,
    /// True or false.
    Bool,
    /// An IP address.
    Ip,
    /// An IP address that is compared with networks.
    Net,
    /// A word with a place in an order ([`Schema::rank`]): `priority >= warning`. Its values are integers.
    Rank,
    /// Whatever the event has: text, a number, a boolean, or a list of these. What stands in the condition is read as
    /// what the value is. A list matches where one of its members does, `!=` where none is equal.
    Any,
}

impl Kind {
    /// For messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Int | Self::Uint => "an integer",
            Self::Float => "a number",
            Self::Bool => "a boolean",
            Self::Ip => "an IP address",
            Self::Net => "an IP network",
            Self::Rank => "a word with an order",
            Self::Any => "of any type",
        }
    }

    /// Whether values of the two can be compared with each other.
    pub(crate) fn is_like(self, other: Self) -> bool {
        let class = |kind: Self| if kind == Self::Int { Self::Uint } else { kind };
        class(self) == class(other) || self == Self::Any || other == Self::Any
    }
}

/// What may stand in brackets behind a field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArgumentSpec {
    /// Nothing.
    None,
    /// Maybe a number.
    OptionalIndex,
    /// Maybe a text.
    OptionalKey,
    /// A text.
    Key,
    /// Maybe a number or a text.
    Optional,
    /// A number or a text.
    Any,
}

/// A field reference that the schema does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// No such field.
    #[error("filter_check called with nonexistent field {name}{}", did_you_mean(.suggestion.as_deref()))]
    Unknown {
        /// As written.
        name: String,
        /// What it could have meant.
        suggestion: Option<String>,
    },
    /// Brackets where none may be.
    #[error("the field `{name}` has no argument; remove the brackets")]
    ArgumentForbidden {
        /// As written.
        name: String,
    },
    /// No brackets where some must be.
    #[error("the field `{name}` needs an argument; write `{name}[key]`")]
    ArgumentMissing {
        /// As written.
        name: String,
    },
    /// Something else than a number in brackets.
    #[error("`{argument}` is no index; write `{name}[0]`, without leading zeros")]
    NoIndex {
        /// As written.
        name: String,
        /// As written.
        argument: String,
    },
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The field a reference means, and its argument.
pub(crate) fn resolve(
    schema: &dyn Schema,
    name: &str,
    argument: Option<&str>,
) -> Result<(FieldSpec, Option<String>), FieldProblem> {
    let Some(spec) = schema.field(name) else {
        let suggestion = nearest(name, schema.names()).map(str::to_owned);
        return Err(FieldProblem::Unknown { name: crate::language::shown(name), suggestion });
    };
    let name = || name.to_owned();
    let argument = match (&spec.implied, argument) {
        (Some(_), Some(_)) => return Err(FieldProblem::ArgumentForbidden { name: name() }),
        (Some(implied), None) => return Ok((spec.clone(), Some(implied.clone()))),
        (None, argument) => argument,
    };
    let Some(argument) = argument else {
        return match spec.argument {
            ArgumentSpec::Key | ArgumentSpec::Any => Err(FieldProblem::ArgumentMissing { name: name() }),
            _ => Ok((spec, None)),
        };
    };
    match spec.argument {
        ArgumentSpec::None => Err(FieldProblem::ArgumentForbidden { name: name() }),
        ArgumentSpec::OptionalIndex if !is_index(argument) => {
            Err(FieldProblem::NoIndex { name: name(), argument: crate::language::shown(argument) })
        }
        _ => Ok((spec, Some(argument.to_owned()))),
    }
}

/// A decimal number without a leading zero that is not too large to be an index.
fn is_index(text: &str) -> bool {
    let digits = !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && (text == "0" || !text.starts_with('0'))
}
