//! Comparisons of values whose type only the event knows.

use super::{Text, Value, matcher::ordered};
use crate::language::Operator;

/// A comparison of values whose type only the event knows.
#[derive(Debug, Clone)]
pub(crate) struct Any {
    /// For text.
    pub text: Text,
    /// For numbers, and for text that is a number where the order counts.
    pub number: Option<(Operator, AnyNumber)>,
    /// For numbers: equal to one of these.
    pub numbers: Box<[AnyNumber]>,
    /// For booleans.
    pub no: bool,
    pub yes: bool,
    /// Whether it holds where the rest does not.
    pub negated: bool,
    /// Whether all members of a list must match, not only one.
    pub every: bool,
}

/// A constant that can be read as a number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnyNumber {
    float: f64,
    /// Exact, because 64-bit integers do not fit a float.
    integer: Option<i128>,
}

impl AnyNumber {
    /// `None` if the text is no number.
    pub fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let float = text.parse().ok().filter(|number: &f64| number.is_finite())?;
        Some(Self { float, integer: text.parse().ok() })
    }

    fn integer_or_float(self) -> Value<'static> {
        match self.integer.and_then(|integer| i64::try_from(integer).ok()) {
            Some(integer) => Value::Int(integer),
            None => Value::Float(self.float),
        }
    }

    /// Whether a value stands in this order to it; one that is no number does not.
    fn compare(self, operator: Operator, value: Value<'_>) -> bool {
        let order = match (value, value.integer(), self.integer) {
            (_, Some(is), Some(integer)) => Some(is.cmp(&integer)),
            (_, Some(is), None) => (is as f64).partial_cmp(&self.float),
            (Value::Float(is), ..) => is.partial_cmp(&self.float),
            _ => None,
        };
        order.is_some_and(|order| ordered(operator, order))
    }
}

impl Any {
    /// Whether a value matches.
    pub fn matches(&self, value: Value<'_>) -> bool {
        let holds = match value {
            Value::List(members) if self.every => members.iter().all(|member| self.one(*member)),
            Value::List(members) => members.iter().any(|member| self.one(*member)),
            one => self.one(one),
        };
        holds != self.negated
    }

    fn one(&self, value: Value<'_>) -> bool {
        match value {
            Value::Text(text) | Value::Bytes(text) => match (&self.text, self.number) {
                (Text::Order(..), Some((operator, number))) => match AnyNumber::read(text) {
                    Some(is) => number.compare(operator, is.integer_or_float()),
                    None => self.text.matches(text),
                },
                (matcher, _) => matcher.matches(text),
            },
            Value::Int(_) | Value::Uint(_) | Value::Float(_) => {
                self.number.is_some_and(|(operator, number)| number.compare(operator, value))
                    || self.numbers.iter().any(|number| number.compare(Operator::Equal, value))
            }
            Value::Bool(is) => {
                if is {
                    self.yes
                } else {
                    self.no
                }
            }
            Value::Ip(is) => self.text.matches(is.to_string().as_bytes()),
            Value::Absent | Value::List(_) => false,
        }
    }
}
