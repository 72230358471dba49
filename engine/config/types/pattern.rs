//! Regular expressions.

use regex::{Regex, RegexBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, str::FromStr};

/// A regular expression in the syntax of the `regex` crate: linear time, no look-around, no back-references.
/// Matches anywhere unless anchored. The compiled form is at most 1 MiB.
#[derive(Clone, Debug)]
pub struct Pattern(pub Regex);

/// A text that is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a regular expression: {reason}")]
pub struct InvalidPattern {
    pub text: String,
    /// One line, from the parser.
    pub reason: String,
}

/// Keeps a hostile or mistaken pattern from using up memory.
const COMPILED_LIMIT: usize = 1 << 20;

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        RegexBuilder::new(text).size_limit(COMPILED_LIMIT).build().map(Self).map_err(|error| {
            let message = error.to_string();
            let reason = message.lines().last().unwrap_or_default();
            InvalidPattern { text: text.to_owned(), reason: reason.trim().trim_start_matches("error: ").to_owned() }
        })
    }
}

impl Pattern {
    /// Whether it matches somewhere in `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Pattern {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "regex"})
    }
}
