//! Names of components and pipelines, with the Collector's grammar (fact sheet opentelemetry-collector, 2.3).

use crate::event::Signal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

/// What a component is; also the top-level key it is written under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Receiver,
    Processor,
    Connector,
    Exporter,
    Extension,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Receiver, Self::Processor, Self::Connector, Self::Exporter, Self::Extension];

    /// `receiver`, `processor`, ...
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Processor => "processor",
            Self::Connector => "connector",
            Self::Exporter => "exporter",
            Self::Extension => "extension",
        }
    }

    /// The top-level key: `receivers`, `processors`, ...
    pub const fn section(self) -> &'static str {
        match self {
            Self::Receiver => "receivers",
            Self::Processor => "processors",
            Self::Connector => "connectors",
            Self::Exporter => "exporters",
            Self::Extension => "extensions",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `type[/name]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComponentId {
    text: Arc<str>,
    type_len: usize,
}

/// Why a text is no component id. The wording is the Collector's, because users search for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    #[error("id must not be empty")]
    Empty,
    #[error("in \"{0}\" id: the part before / should not be empty")]
    NoType(String),
    #[error("in \"{0}\" id: the part after / should not be empty")]
    NoName(String),
    #[error(
        "invalid character(s) in type \"{0}\"; a type starts with a letter and goes on with letters, digits and _, at most 63"
    )]
    Type(String),
    #[error("invalid character(s) in name \"{0}\"; blanks, control characters and symbols are not allowed")]
    Name(String),
    #[error("name \"{name}\" is longer than 1024 characters ({length} characters)")]
    TooLong { name: String, length: usize },
}

impl ComponentId {
    /// The id of the only component of a type. `type_name` is a factory's, so it is not checked.
    pub(crate) fn of_type(type_name: &'static str) -> Self {
        Self { text: type_name.into(), type_len: type_name.len() }
    }

    /// The part before the slash.
    pub fn type_name(&self) -> &str {
        &self.text[..self.type_len]
    }

    /// The part after the slash.
    pub fn name(&self) -> Option<&str> {
        self.text.get(self.type_len + 1..)
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for ComponentId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.trim().is_empty() {
            return Err(InvalidId::Empty);
        }
        let (type_name, name) = match text.split_once('/') {
            Some((type_name, name)) => (type_name.trim(), Some(name.trim())),
            None => (text.trim(), None),
        };
        if type_name.is_empty() {
            return Err(InvalidId::NoType(text.into()));
        }
        let mut letters = type_name.chars();
        let valid = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            && type_name.len() <= 63;
        if !valid {
            return Err(InvalidId::Type(type_name.into()));
        }
        if let Some(name) = name {
            check_name(text, name)?;
        }
        let whole = name.map_or_else(|| type_name.to_owned(), |name| format!("{type_name}/{name}"));
        Ok(Self { text: whole.into(), type_len: type_name.len() })
    }
}

fn check_name(whole: &str, name: &str) -> Result<(), InvalidId> {
    /// ASCII characters of the Unicode class Symbol, which the Collector's name grammar leaves out.
    const SYMBOLS: &str = "$+<=>^`|~";
    if name.is_empty() {
        return Err(InvalidId::NoName(whole.into()));
    }
    let length = name.chars().count();
    if length > 1024 {
        return Err(InvalidId::TooLong { name: name.chars().take(32).collect(), length });
    }
    if name.chars().any(|letter| letter.is_whitespace() || letter.is_control() || SYMBOLS.contains(letter)) {
        return Err(InvalidId::Name(name.into()));
    }
    Ok(())
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for ComponentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for ComponentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for ComponentId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ComponentId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "component-id", "examples": ["file_storage"]})
    }
}

/// `logs[/name]`, `metrics[/name]`, `traces[/name]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PipelineId {
    pub signal: Signal,
    text: Arc<str>,
}

/// Why a text is no pipeline id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPipelineId {
    #[error(transparent)]
    Id(#[from] InvalidId),
    #[error(
        "unknown pipeline signal: \"{0}\"; a pipeline is named logs, metrics or traces, with /name to have several"
    )]
    Signal(String),
}

impl PipelineId {
    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for PipelineId {
    type Err = InvalidPipelineId;

    fn from_str(text: &str) -> Result<Self, InvalidPipelineId> {
        let id: ComponentId = text.parse()?;
        let signal =
            Signal::parse(id.type_name()).ok_or_else(|| InvalidPipelineId::Signal(id.type_name().to_owned()))?;
        Ok(Self { signal, text: id.text })
    }
}

impl fmt::Display for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for PipelineId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for PipelineId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for PipelineId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PipelineId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "pipeline-id", "examples": ["logs/urgent"]})
    }
}

impl fmt::Debug for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
