//! What one value is compared with, when that is known at compile time.

use super::{Any, Glob, Paths, TextSet, Value};
use crate::language::Operator;
use aho_corasick::AhoCorasick;
use ipnet::IpNet;
use memchr::memmem;
use regex::bytes::Regex;
use std::{cmp::Ordering, net::IpAddr};

/// What one value is compared with.
#[derive(Debug, Clone)]
pub(crate) enum Matcher {
    Text(Text),
    Number(Number),
    Bool { equal: bool, to: bool },
    Bools { no: bool, yes: bool },
    Ip { equal: bool, to: IpAddr },
    Ips(Box<[IpAddr]>),
    Net { within: bool, net: IpNet },
    Nets(Box<[IpNet]>),
    Any(Box<Any>),
}

/// Comparisons of text and bytes.
#[derive(Debug, Clone)]
pub(crate) enum Text {
    Equal(Box<[u8]>),
    NotEqual(Box<[u8]>),
    In(TextSet),
    NotIn(TextSet),
    Contains(Contained),
    StartsWith(Box<[u8]>),
    EndsWith(Box<[u8]>),
    Glob(Glob),
    Regex(Regex),
    Path(Paths),
    /// `< <= > >=`: order of bytes.
    Order(Operator, Box<[u8]>),
}

/// Texts that are looked for inside another.
#[derive(Debug, Clone)]
pub(crate) enum Contained {
    One(Box<memmem::Finder<'static>>),
    /// Several at once, or without case.
    Any(AhoCorasick),
}

impl Contained {
    pub fn one(text: &[u8]) -> Self {
        Self::One(Box::new(memmem::Finder::new(text).into_owned()))
    }

    /// Any of several, in one pass. `None` if they are too large for an automaton.
    pub fn any<T: AsRef<[u8]>>(texts: &[T], fold: bool) -> Option<Self> {
        AhoCorasick::builder().ascii_case_insensitive(fold).build(texts).ok().map(Self::Any)
    }

    fn is_in(&self, text: &[u8]) -> bool {
        match self {
            Self::One(finder) => finder.find(text).is_some(),
            Self::Any(automaton) => automaton.is_match(text),
        }
    }
}

/// Comparisons of numbers.
#[derive(Debug, Clone)]
pub(crate) enum Number {
    Compare(Operator, i128),
    /// Sorted.
    In(Box<[i128]>),
}

impl Matcher {
    /// Whether a value matches. One of another type does not.
    #[inline]
    pub fn matches(&self, value: Value<'_>) -> bool {
        match self {
            Self::Text(text) => value.bytes().is_some_and(|bytes| text.matches(bytes)),
            Self::Number(number) => number.matches(value),
            Self::Bool { equal, to } => matches!(value, Value::Bool(is) if (is == *to) == *equal),
            Self::Bools { no, yes } => matches!(value, Value::Bool(is) if if is { *yes } else { *no }),
            Self::Ip { equal, to } => matches!(value, Value::Ip(is) if (is == *to) == *equal),
            Self::Ips(ips) => matches!(value, Value::Ip(is) if ips.contains(&is)),
            Self::Net { within, net } => matches!(value, Value::Ip(is) if net.contains(&is) == *within),
            Self::Any(any) => any.matches(value),
            Self::Nets(nets) => matches!(value, Value::Ip(is) if nets.iter().any(|net| net.contains(&is))),
        }
    }
}

impl Text {
    #[inline]
    pub fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Equal(other) => text == &**other,
            Self::NotEqual(other) => text != &**other,
            Self::In(set) => set.contains(text),
            Self::NotIn(set) => !set.contains(text),
            Self::Contains(contained) => contained.is_in(text),
            Self::StartsWith(prefix) => text.starts_with(prefix),
            Self::EndsWith(suffix) => text.ends_with(suffix),
            Self::Glob(glob) => glob.matches(text),
            Self::Regex(regex) => regex.is_match(text),
            Self::Path(paths) => paths.matches(text),
            Self::Order(operator, other) => ordered(*operator, text.cmp(other)),
        }
    }
}

impl Number {
    fn matches(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Compare(operator, n), Value::Float(is)) => {
                // A constant of a rule beyond 2^53 is rounded; no field with fractions comes near it.
                is.partial_cmp(&(*n as f64)).is_some_and(|order| ordered(*operator, order))
            }
            (Self::In(set), Value::Float(is)) => set.iter().any(|n| *n as f64 == is),
            (Self::Compare(operator, n), _) => value.integer().is_some_and(|is| ordered(*operator, is.cmp(n))),
            (Self::In(set), _) => value.integer().is_some_and(|is| set.binary_search(&is).is_ok()),
        }
    }
}

/// Whether an order is what an operator asks for. Operators without an order ask for nothing.
pub(crate) fn ordered(operator: Operator, order: Ordering) -> bool {
    match operator {
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Equal | Operator::EqualTwice => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        _ => false,
    }
}
