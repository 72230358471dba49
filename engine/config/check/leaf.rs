//! Scalars: numbers and their ranges, words out of a few, text with a format.

use super::Checker;
use crate::{
    component::{ComponentId, PipelineId},
    config::{Duration, ListenAddress, Node, Origin, Pattern, codes, node::Path, scalar, suggest},
};
use serde_json::Value;

/// The parser behind a JSON Schema `format`; its error says what would be right.
type Format = fn(&str) -> Result<(), String>;

/// Formats of leaf types. A new leaf type gives its `format` in `JsonSchema` and a line here.
const FORMATS: &[(&str, Format)] = &[
    ("component-id", |text| parses::<ComponentId>(text)),
    ("duration", |text| parses::<Duration>(text)),
    ("listen-address", |text| parses::<ListenAddress>(text)),
    ("pipeline-id", |text| parses::<PipelineId>(text)),
    ("regex", |text| parses::<Pattern>(text)),
];

fn parses<T: std::str::FromStr>(text: &str) -> Result<(), String>
where
    T::Err: std::fmt::Display,
{
    text.parse::<T>().map(drop).map_err(|error| error.to_string())
}

/// The words a schema allows, when it is a list of words.
pub(super) fn choices(schema: &Value) -> Option<Vec<&str>> {
    if let Some(word) = schema.get("const").and_then(Value::as_str) {
        return Some(vec![word]);
    }
    schema.get("enum").and_then(Value::as_array)?.iter().filter(|word| !word.is_null()).map(Value::as_str).collect()
}

impl Checker<'_> {
    /// A word that must be one of those the schemas allow.
    pub(super) fn choice(&mut self, node: &Node, key: &Origin, schemas: &[&Value], path: &Path) -> Option<Node> {
        let words: Vec<&str> = schemas.iter().filter_map(|schema| choices(schema)).flatten().collect();
        let Some(text) = node.text() else {
            return self.wrong_type(node, key, &format!("one of {}", suggest::list(words)), path);
        };
        if words.contains(&text) {
            return Some(node.clone());
        }
        let message = format!("`{path}` cannot be `{text}`");
        let mut help = format!("possible values: {}", suggest::list(words.iter().copied()));
        if let Some(near) = suggest::nearest(text, words) {
            help = format!("did you mean `{near}`? {help}");
        }
        self.problem(codes::BAD_CHOICE, message, path, &node.origin, Some(help));
        None
    }

    /// A scalar of the given type name, which it fits.
    pub(super) fn scalar(&mut self, node: &Node, name: &str, schema: &Value, path: &Path) -> Option<Node> {
        let text = node.text()?;
        let problem = match name {
            "integer" | "number" => range(text, schema)
                .map(|limit| (codes::OUT_OF_RANGE, format!("`{path}` is `{text}`; it must be {limit}"), None)),
            "string" => self.text(text, schema, path),
            _ => None,
        };
        let Some((code, message, help)) = problem else { return Some(node.clone()) };
        self.problem(code, message, path, &node.origin, help);
        None
    }

    fn text(&self, text: &str, schema: &Value, path: &Path) -> Option<(&'static str, String, Option<String>)> {
        let format = schema.get("format").and_then(Value::as_str);
        let parser = FORMATS.iter().find(|(name, _)| Some(*name) == format);
        if let Some((_, parser)) = parser
            && let Err(message) = parser(text)
        {
            // The errors of leaf types carry the remedy behind a semicolon.
            let (message, help) = match message.split_once("; ") {
                Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
                None => (message, None),
            };
            let help = unit_hint(text, format).or(help);
            return Some((codes::BAD_VALUE, format!("`{path}`: {message}"), help));
        }
        let letters = text.chars().count() as u64;
        let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
        let most = schema.get("maxLength").and_then(Value::as_u64).unwrap_or(u64::MAX);
        if letters < least {
            let message = match least {
                1 => format!("`{path}` is empty"),
                _ => format!("`{path}` has {letters} characters; it needs at least {least}"),
            };
            return Some((codes::BAD_VALUE, message, None));
        }
        (letters > most).then(|| {
            let message = format!("`{path}` has {letters} characters; at most {most} are allowed");
            (codes::BAD_VALUE, message, None)
        })
    }
}

/// A duration without its unit.
fn unit_hint(text: &str, format: Option<&str>) -> Option<String> {
    let bare = format == Some("duration") && scalar::as_float(text).is_some();
    bare.then(|| format!("write `{text}s`"))
}

/// What a number must be, when it is not.
fn range(text: &str, schema: &Value) -> Option<String> {
    let number = scalar::as_float(text)?;
    let limit = |name: &str| schema.get(name).and_then(Value::as_f64).map(|limit| (limit, &schema[name]));
    if let Some((limit, shown)) = limit("minimum")
        && (number < limit || number.is_nan())
    {
        return Some(format!("at least {shown}"));
    }
    if let Some((limit, shown)) = limit("exclusiveMinimum")
        && (number <= limit || number.is_nan())
    {
        return Some(format!("more than {shown}"));
    }
    if let Some((limit, shown)) = limit("maximum")
        && number > limit
    {
        return Some(format!("at most {shown}"));
    }
    if let Some((limit, shown)) = limit("exclusiveMaximum")
        && number >= limit
    {
        return Some(format!("less than {shown}"));
    }
    None
}
