//! The reference table of a component's configuration, in Markdown: what its README shows.
//!
//! Promises: it is made of the same JSON Schema that the checker and editors use, so it cannot say anything else; every
//! key that can be written is a row, nested ones with dots between; a default is that of the place where the key stands.
//! The keys that the engine adds to exporters are named once, below the table.

use crate::{
    component::Factory,
    config::{Duration, Secret},
};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Deepest nesting of keys that is written out.
const MAX_DEPTH: usize = 8;

/// The table of a component's keys.
pub fn table(factory: &Factory) -> String {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let root = (factory.schema)(&mut generator).to_value();
    let definitions = generator.take_definitions(true);
    let mut table = Table { definitions: &definitions, rows: String::new() };
    table.keys("", &root, Some(&(factory.defaults)()), 0);
    let mut out = String::new();
    if table.rows.is_empty() {
        out.push_str("There is nothing to configure.\n");
    } else {
        out.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
        out.push_str(&table.rows);
    }
    if let Some(delivery) = factory.delivery {
        let timeout = match delivery.timeout {
            std::time::Duration::ZERO => "none".to_owned(),
            timeout => format!("`{}`", Duration::from_millis(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX))),
        };
        let queue = if delivery.queue { "on" } else { "off" };
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            out,
            "\nAs for every exporter: `timeout` (here {timeout}), `sending_queue` (here {queue}) and `retry_on_failure`, see\n\
             [delivery](../../docs/configuration.md#delivery)."
        );
    }
    out
}

struct Table<'s> {
    definitions: &'s Map<String, Value>,
    rows: String,
}

impl<'s> Table<'s> {
    /// Adds the rows of an object. `default` is the object as it is when nobody writes it.
    fn keys(&mut self, prefix: &str, object: &'s Value, default: Option<&Value>, depth: usize) {
        let object = self.resolved(object);
        let Some(properties) = object.get("properties").and_then(Value::as_object).filter(|_| depth < MAX_DEPTH) else {
            return;
        };
        for (name, property) in properties {
            let own = property.get("default").filter(|own| !own.is_null());
            let default = match default {
                Some(Value::Object(around)) => around.get(name),
                _ => own,
            };
            self.key(&format!("{prefix}{name}"), property, default, depth);
        }
    }

    fn key(&mut self, key: &str, property: &'s Value, default: Option<&Value>, depth: usize) {
        let (schema, optional) = self.without_null(property);
        let own_words = property.get("description").and_then(Value::as_str);
        let below = self.below(schema);
        if !matches!(below, Some(Below::Keys)) || optional || own_words.is_some() {
            let mut words = own_words.or_else(|| described(schema)).unwrap_or_default().to_owned();
            for (word, meaning) in self.variants(schema) {
                if let Some(meaning) = meaning {
                    let _ = write!(words, " `{word}`: {meaning}");
                }
            }
            let shown = match &below {
                Some(Below::Keys) => String::new(),
                _ => default.map(written).unwrap_or_default(),
            };
            let _ = writeln!(self.rows, "| `{key}` |{}{}{}", cell(&self.kind(schema)), cell(&shown), cell(&words));
        }
        let object = |value: Option<&Value>| value.filter(|value| value.is_object()).cloned();
        match below {
            Some(Below::Keys) => self.keys(&format!("{key}."), schema, object(default).as_ref(), depth + 1),
            Some(Below::Items(item)) => self.keys(&format!("{key}[]."), item, None, depth + 1),
            Some(Below::Named(item)) => self.keys(&format!("{key}.<name>."), item, None, depth + 1),
            None => {}
        }
    }

    /// What has keys of its own below this one.
    fn below(&self, schema: &'s Value) -> Option<Below<'s>> {
        if schema.get("properties").is_some() {
            return Some(Below::Keys);
        }
        let with_keys = |item: &'s Value| {
            let item = self.without_null(item).0;
            item.get("properties").is_some().then_some(item)
        };
        let items = schema.get("items").and_then(with_keys).map(Below::Items);
        items.or_else(|| schema.get("additionalProperties").and_then(with_keys).map(Below::Named))
    }

    /// The definition behind a reference.
    fn resolved(&self, schema: &'s Value) -> &'s Value {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix("#/$defs/"));
        name.and_then(|name| self.definitions.get(name)).unwrap_or(schema)
    }

    /// What a value is when it is there, and whether `null` stands for "not there".
    fn without_null(&self, schema: &'s Value) -> (&'s Value, bool) {
        let schema = self.resolved(schema);
        let Some(variants) = schema.get("anyOf").and_then(Value::as_array) else { return (schema, false) };
        let is_null = |variant: &&Value| variant.get("type").and_then(Value::as_str) == Some("null");
        let mut others = variants.iter().filter(|variant| !is_null(variant));
        match (others.next(), others.next()) {
            (Some(only), None) => (self.resolved(only), variants.len() > 1),
            _ => (schema, variants.iter().any(|variant| is_null(&variant))),
        }
    }

    /// The words that may be written, with what they mean.
    fn variants(&self, schema: &'s Value) -> Vec<(&'s str, Option<&'s str>)> {
        let mut words = Vec::new();
        let listed = |schema: &'s Value| {
            schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        };
        words.extend(listed(schema).map(|word| (word, None)));
        for variant in ["oneOf", "anyOf"].into_iter().filter_map(|keyword| schema.get(keyword)?.as_array()).flatten() {
            if let Some(word) = variant.get("const").and_then(Value::as_str) {
                words.push((word, described(variant)));
            }
            words.extend(listed(variant).map(|word| (word, None)));
        }
        words
    }

    /// The type in words.
    fn kind(&self, schema: &'s Value) -> String {
        let schema = self.without_null(schema).0;
        let words = self.variants(schema);
        if !words.is_empty() {
            return words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        }
        if let Some(variants) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
            let kinds: Vec<_> = variants.iter().map(|variant| self.kind(variant)).collect();
            return kinds.join(" or ");
        }
        let types = schema.get("type");
        let one = match types {
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).find(|name| *name != "null"),
            other => other.and_then(Value::as_str),
        };
        match one {
            Some("string") => match schema.get("format").and_then(Value::as_str) {
                Some("duration") => "duration".to_owned(),
                Some("listen-address") => "host:port".to_owned(),
                Some("secret") => "secret".to_owned(),
                Some("regex") => "regular expression".to_owned(),
                _ => "text".to_owned(),
            },
            Some("integer") => ranged("integer", schema),
            Some("number") => ranged("number", schema),
            Some("array") => match schema.get("items") {
                Some(item) if self.without_null(item).0.get("properties").is_none() => {
                    format!("list of {}", self.kind(item))
                }
                _ => "list".to_owned(),
            },
            Some("object") => match schema.get("additionalProperties") {
                Some(item @ Value::Object(_)) if self.without_null(item).0.get("properties").is_none() => {
                    format!("names with {}", self.kind(item))
                }
                Some(Value::Object(_)) => "names with keys".to_owned(),
                _ => "keys".to_owned(),
            },
            Some(other) => other.to_owned(),
            None => "any".to_owned(),
        }
    }
}

/// Where further keys are.
enum Below<'s> {
    /// In the object itself.
    Keys,
    /// In every item of the list.
    Items(&'s Value),
    /// In every object of the map.
    Named(&'s Value),
}

/// A cell with its right border.
fn cell(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let gap = if words.is_empty() { "" } else { " " };
    format!("{gap}{} |", words.join(" ").replace('|', "\\|"))
}

fn described(schema: &Value) -> Option<&str> {
    schema.get("description").and_then(Value::as_str)
}

fn ranged(kind: &str, schema: &Value) -> String {
    let bound = |keyword: &str| schema.get(keyword).filter(|bound| bound.is_number());
    let least = bound("minimum").filter(|least| least.as_f64() != Some(0.0));
    match (least, bound("maximum")) {
        (Some(least), Some(most)) => format!("{kind}, {least} to {most}"),
        (Some(least), None) => format!("{kind}, {least} or more"),
        (None, Some(most)) => format!("{kind}, up to {most}"),
        (None, None) => kind.to_owned(),
    }
}

/// A default as one would write it; nothing for what is not there.
fn written(default: &Value) -> String {
    match default {
        Value::Null => String::new(),
        Value::String(text) if text.is_empty() || text == Secret::REDACTED => String::new(),
        Value::String(text) => format!("`{text}`"),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            format!("`[{}]`", items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
        }
        other => format!("`{other}`"),
    }
}

#[cfg(test)]
mod tests;
