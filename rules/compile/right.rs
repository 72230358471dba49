//! Right sides: text that is read as what the field is.

use super::{CompileErrorKind, Compiler, Type};
use crate::{
    evaluate::{Any, AnyNumber, Contained, Glob, Matcher, Number, Paths, Test, Text, TextSet},
    language::{Modifier, Operator, Value, shown},
    schema::Kind,
};
use ipnet::IpNet;
use regex::bytes::{Regex, RegexBuilder};
use std::net::IpAddr;

/// Memory that a compiled regular expression may take, in bytes: tried one after the other. More is refused.
const REGEX_SIZES: [usize; 3] = [1 << 14, 1 << 17, 1 << 20];
/// Most memory for the states it visits, in bytes.
const REGEX_CACHE: usize = 1 << 20;
/// Most memory for all regular expressions of a source, visited states and what was tried included.
pub(super) const REGEXES: usize = 128 << 20;

impl Compiler<'_> {
    /// A comparison with one value.
    pub(super) fn matcher(&mut self, kind: Kind, operator: Operator, value: &Value) -> Option<Matcher> {
        let equal = matches!(operator, Operator::Equal | Operator::EqualTwice);
        match kind {
            Kind::Text | Kind::Bytes => self.text(kind, operator, value).map(Matcher::Text),
            Kind::Any => Some(Matcher::Any(Box::new(self.any(operator, value)?))),
            Kind::Int | Kind::Uint | Kind::Float | Kind::Rank => {
                let n = self.number(kind, value)?;
                let operator = if equal { Operator::Equal } else { operator };
                Some(Matcher::Number(Number::Compare(operator, n)))
            }
            Kind::Bool => Some(Matcher::Bool { equal, to: self.boolean(value)? }),
            Kind::Ip => Some(Matcher::Ip { equal, to: self.address(value)? }),
            Kind::Net => Some(Matcher::Net { within: equal, net: self.network(value)? }),
        }
    }

    /// A comparison of whatever the event has with one value. `!=` is the negation of `=`, for lists too.
    fn any(&mut self, operator: Operator, value: &Value) -> Option<Any> {
        let negated = operator == Operator::NotEqual;
        let operator = if negated { Operator::Equal } else { operator };
        let text = self.text(Kind::Text, operator, value)?;
        let is_equality = matches!(operator, Operator::Equal | Operator::EqualTwice);
        let number = AnyNumber::read(&value.text).filter(|_| is_equality || operator.is_numeric());
        let is = |word: &[u8]| is_equality && value.text == word;
        Some(Any {
            text,
            number: number.map(|number| (operator, number)),
            numbers: Box::default(),
            no: is(b"false"),
            yes: is(b"true"),
            negated,
            every: false,
        })
    }

    fn text(&mut self, kind: Kind, operator: Operator, value: &Value) -> Option<Text> {
        let bytes = || value.text.clone().into_boxed_slice();
        if let Operator::Bcontains | Operator::BstartsWith = operator {
            let hex = self.hexadecimal(value)?;
            return Some(match operator {
                Operator::Bcontains => Text::Contains(Contained::one(&hex)),
                _ => Text::StartsWith(hex.into()),
            });
        }
        self.check_text(kind, value)?;
        Some(match operator {
            Operator::Equal | Operator::EqualTwice => Text::Equal(bytes()),
            Operator::NotEqual => Text::NotEqual(bytes()),
            Operator::Contains => Text::Contains(Contained::one(&value.text)),
            Operator::Icontains => match Contained::any(&[&value.text], true) {
                Some(contained) => Text::Contains(contained),
                None => return self.bad(value, "a text that can be looked for; shorten it"),
            },
            Operator::StartsWith => Text::StartsWith(bytes()),
            Operator::EndsWith => Text::EndsWith(bytes()),
            Operator::Glob => Text::Glob(Glob::new(&value.text, false)),
            Operator::Iglob => Text::Glob(Glob::new(&value.text, true)),
            Operator::Regex => Text::Regex(self.regex(value)?),
            operator => Text::Order(operator, bytes()),
        })
    }

    /// Membership in a list.
    pub(super) fn membership(&mut self, kind: Kind, operator: Operator, values: &[Value]) -> Option<Matcher> {
        Some(match kind {
            Kind::Text | Kind::Bytes => {
                let checked: Vec<_> = values.iter().map(|value| self.check_text(kind, value)).collect();
                checked.into_iter().collect::<Option<Vec<()>>>()?;
                let texts = values.iter().map(|value| value.text.clone());
                Matcher::Text(match operator {
                    Operator::Pmatch => Text::Path(Paths::new(texts)),
                    _ => Text::In(TextSet::new(texts)),
                })
            }
            Kind::Any => {
                let texts = self.membership(Kind::Text, operator, values)?;
                let Matcher::Text(text) = texts else { return None };
                let parsed = |value: &Value| AnyNumber::read(&value.text);
                let is = |word: &[u8]| values.iter().any(|value| value.text == word);
                Matcher::Any(Box::new(Any {
                    text,
                    number: None,
                    numbers: values.iter().filter_map(parsed).collect(),
                    no: is(b"false"),
                    yes: is(b"true"),
                    negated: false,
                    every: operator == Operator::In,
                }))
            }
            Kind::Int | Kind::Uint | Kind::Float | Kind::Rank => {
                let mut numbers = self.every(values, |this, value| this.number(kind, value))?;
                numbers.sort_unstable();
                Matcher::Number(Number::In(numbers.into()))
            }
            Kind::Bool => {
                let booleans = self.every(values, Self::boolean)?;
                Matcher::Bools { no: booleans.contains(&false), yes: booleans.contains(&true) }
            }
            Kind::Ip => Matcher::Ips(self.every(values, Self::address)?.into()),
            Kind::Net => Matcher::Nets(self.every(values, Self::network)?.into()),
        })
    }

    /// A comparison that so many of several values must satisfy. Sets and automata where they say the same.
    pub(super) fn counted(
        &mut self,
        of: Type,
        operator: Operator,
        modifier: Modifier,
        values: &[Value],
    ) -> Option<Test> {
        let matchers = self.every(values, |this, value| this.matcher(of.kind, operator, value))?;
        let texts = || values.iter().map(|value| value.text.clone());
        if of.kind == Kind::Text && !values.is_empty() {
            match (operator, modifier) {
                (Operator::Equal | Operator::EqualTwice, Modifier::Anyof) => {
                    return Some(Test::One(Matcher::Text(Text::In(TextSet::new(texts())))));
                }
                (Operator::NotEqual, Modifier::Allof) => {
                    return Some(Test::One(Matcher::Text(Text::NotIn(TextSet::new(texts())))));
                }
                (Operator::Contains | Operator::Icontains, Modifier::Anyof) if values.len() > 1 => {
                    let texts: Vec<_> = texts().collect();
                    if let Some(contained) = Contained::any(&texts, operator == Operator::Icontains) {
                        return Some(Test::One(Matcher::Text(Text::Contains(contained))));
                    }
                }
                _ => {}
            }
        }
        Some(Test::Count(modifier, matchers.into()))
    }

    /// Reads every value, so that every bad one is reported.
    fn every<T>(&mut self, values: &[Value], mut read: impl FnMut(&mut Self, &Value) -> Option<T>) -> Option<Vec<T>> {
        let read: Vec<Option<T>> = values.iter().map(|value| read(self, value)).collect();
        read.into_iter().collect()
    }

    fn bad<T>(&mut self, value: &Value, wanted: &'static str) -> Option<T> {
        let shown = shown(&String::from_utf8_lossy(&value.text));
        self.error(value.span, CompileErrorKind::BadValue { value: shown, wanted });
        None
    }

    fn check_text(&mut self, kind: Kind, value: &Value) -> Option<()> {
        if kind == Kind::Text && value.text.contains(&0) {
            self.error(value.span, CompileErrorKind::Nul);
            return None;
        }
        Some(())
    }

    fn number(&mut self, kind: Kind, value: &Value) -> Option<i128> {
        let text = std::str::from_utf8(&value.text).unwrap_or_default();
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let is_decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let wanted = match kind {
            Kind::Uint => "a whole number from 0 on, written in decimal",
            _ => "a whole number, written in decimal",
        };
        let number = is_decimal.then(|| text.parse::<i128>().ok()).flatten();
        let fits = |n: &i128| match kind {
            Kind::Uint => u64::try_from(*n).is_ok(),
            _ => i64::try_from(*n).is_ok(),
        };
        match number.filter(fits) {
            Some(number) => Some(number),
            None => self.bad(value, wanted),
        }
    }

    fn boolean(&mut self, value: &Value) -> Option<bool> {
        match value.text.as_slice() {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => self.bad(value, "`true` or `false`"),
        }
    }

    fn address(&mut self, value: &Value) -> Option<IpAddr> {
        match std::str::from_utf8(&value.text).ok().and_then(|text| text.parse().ok()) {
            Some(address) => Some(address),
            None => self.bad(value, "an IP address"),
        }
    }

    fn network(&mut self, value: &Value) -> Option<IpNet> {
        match std::str::from_utf8(&value.text).ok().and_then(|text| text.parse().ok()) {
            Some(network) => Some(network),
            None => self.bad(value, "an IP network; write for example 10.0.0.0/8"),
        }
    }

    fn hexadecimal(&mut self, value: &Value) -> Option<Vec<u8>> {
        let pairs = value.text.chunks(2).map(|pair| {
            let text = std::str::from_utf8(pair).ok().filter(|text| text.len() == 2)?;
            let is_hex = text.bytes().all(|digit| digit.is_ascii_hexdigit());
            is_hex.then(|| u8::from_str_radix(text, 16).ok()).flatten()
        });
        match pairs.collect::<Option<Vec<u8>>>().filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => Some(bytes),
            None => self.bad(value, "an even number of hexadecimal digits"),
        }
    }

    /// The whole text must match; inside, `^` and `$` are the ends of lines.
    fn regex(&mut self, value: &Value) -> Option<Regex> {
        // Once nothing is left, nothing is compiled any more: that takes time as well.
        if self.regexes == 0 {
            self.error(value.span, CompileErrorKind::TooManyRegexes);
            return None;
        }
        let pattern = super::posix::translated(&String::from_utf8_lossy(&value.text));
        let whole = format!("\\A(?m:{pattern})\\z");
        let mut built = Err(regex::Error::CompiledTooBig(0));
        for size in REGEX_SIZES {
            let cache = REGEX_CACHE.min(4 * size);
            let build = |pattern: &str| {
                RegexBuilder::new(pattern).size_limit(size).dfa_size_limit(cache).nest_limit(100).build()
            };
            // On its own first: `)|(` must not become valid by what is put around it.
            built = build(&pattern).and_then(|_| build(&whole));
            if !matches!(built, Err(regex::Error::CompiledTooBig(_))) {
                self.regexes = self.regexes.saturating_sub(size + cache);
                break;
            }
            self.regexes = self.regexes.saturating_sub(size);
        }
        match built {
            Ok(regex) => Some(regex),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                let reason = shown(reason);
                self.error(value.span, CompileErrorKind::Regex { reason });
                None
            }
        }
    }
}
