//! The checker: a tree against the JSON Schema of a component's config.
//!
//! Promises: reports **every** problem, each at the innermost place; never changes a value. What it gives back is
//! the tree without what is wrong, so that the typed decode and the component's own checks can go on and report
//! theirs in the same run. `key:` with nothing behind it is left out too: it means the default,
//! or, where the schema says `x-switch`, the section with its defaults. A key of the Collector that is known and not
//! offered (`x-not-offered`) is told from one that nobody knows.
//!
//! Why not serde alone: it stops at the first error. Why not a JSON Schema validator: it does not know spans,
//! leaf formats, the Collector's conversions or "did you mean".

mod leaf;
mod object;
mod schema_doc;
mod variants;

pub(crate) use object::switches;
pub(crate) use schema_doc::SchemaDoc;

use super::{Node, NodeValue, Origin, codes, node::Path};
use serde_json::Value;

/// Something wrong with a value.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub code: &'static str,
    pub message: String,
    pub path: Path,
    pub origin: Origin,
    pub help: Option<String>,
    /// A key that was probably meant: that it is missing need not be said.
    pub meant: Option<Path>,
}

/// A tree that was checked.
pub(crate) struct Checked {
    /// What is left: everything without problems.
    pub node: Node,
    pub problems: Vec<Problem>,
    /// Items of lists that are not in `node`, each list's in order: those behind them have moved up.
    pub left_out: Vec<Path>,
}

/// Checks `body` against `doc`. `whole` is how messages call the body: "exporter `debug`". `more_keys` are known
/// top keys that the schema does not list, for "did you mean".
pub(crate) fn check(body: &Node, at: &Origin, doc: &SchemaDoc, whole: &str, more_keys: &[&str]) -> Checked {
    let mut checker = Checker { doc, whole, more_keys, problems: Vec::new(), left_out: Vec::new() };
    let empty = Node { origin: body.origin.clone(), value: NodeValue::Map(Vec::new()) };
    let body = if body.is_null() { &empty } else { body };
    let node = checker.value(body, at, &doc.root, &Path::default()).unwrap_or(empty);
    Checked { node, problems: checker.problems, left_out: checker.left_out }
}

struct Checker<'a> {
    doc: &'a SchemaDoc,
    whole: &'a str,
    more_keys: &'a [&'a str],
    problems: Vec<Problem>,
    left_out: Vec<Path>,
}

impl<'a> Checker<'a> {
    fn problem(&mut self, code: &'static str, message: String, path: &Path, origin: &Origin, help: Option<String>) {
        let (path, origin) = (path.clone(), origin.clone());
        self.problems.push(Problem { code, message, path, origin, help, meant: None });
    }

    /// How messages call the map at `path`.
    fn place(&self, path: &Path) -> String {
        match path.0.is_empty() {
            true => self.whole.to_owned(),
            false => format!("`{path}` of {}", self.whole),
        }
    }

    /// Checks one value; `key` is where its key was written. Gives back what of it can be used.
    fn value(&mut self, node: &Node, key: &Origin, schema: &'a Value, path: &Path) -> Option<Node> {
        let schema = self.doc.resolve(schema);
        if let Some(variants) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
            && schema.get("properties").is_none()
        {
            return self.variants(node, key, variants, path);
        }
        if let Some([only]) = schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
            return self.value(node, key, only, path);
        }
        if leaf::choices(schema).is_some() {
            return self.choice(node, key, &[schema], path);
        }
        let types = types(schema);
        if types.is_empty() {
            return Some(node.clone());
        }
        let Some(fitting) = types.iter().find(|name| fits(node, name, schema)) else {
            return self.wrong_type(node, key, &expected(&types), path);
        };
        match *fitting {
            "object" => self.object(node, key, schema, path),
            "array" => self.array(node, key, schema, path),
            "null" => None,
            name => self.scalar(node, name, schema, path),
        }
    }

    fn wrong_type(&mut self, node: &Node, key: &Origin, expected: &str, path: &Path) -> Option<Node> {
        let subject = match path.0.is_empty() {
            true => self.whole.to_owned(),
            false => format!("`{path}`"),
        };
        let message = format!("{subject} must be {expected}, not {}", node.describe());
        let origin = if node.text().is_some() { &node.origin } else { key };
        self.problem(codes::WRONG_TYPE, message, path, origin, hint(node, expected));
        None
    }

    /// Each item; text for a list of texts is split at commas, as in the Collector.
    fn array(&mut self, node: &Node, key: &Origin, schema: &'a Value, path: &Path) -> Option<Node> {
        let split = split(node);
        let node = split.as_ref().unwrap_or(node);
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let most = schema.get("maxItems").and_then(Value::as_u64).unwrap_or(u64::MAX);
        let count = node.items().len() as u64;
        if count < least || count > most {
            let limit = if count < least { format!("at least {least}") } else { format!("at most {most}") };
            let message = format!("`{path}` has {count} items; it needs {limit}");
            self.problem(codes::OUT_OF_RANGE, message, path, key, None);
            return None;
        }
        let Some(of) = schema.get("items") else { return Some(node.clone()) };
        let mut kept = Vec::with_capacity(node.items().len());
        for (index, item) in node.items().iter().enumerate() {
            let below = path.index(index);
            match self.value(item, &item.origin, of, &below) {
                Some(item) => kept.push(item),
                None => self.left_out.push(below),
            }
        }
        Some(Node { origin: node.origin.clone(), value: NodeValue::List(kept) })
    }
}

/// What to do about a value of the wrong type, when it is clear.
fn hint(node: &Node, expected: &str) -> Option<String> {
    let text = node.text()?;
    let bare = text.trim();
    if expected.contains("number") && super::scalar::as_float(bare).is_some() {
        return Some("remove the quotes".into());
    }
    if expected.contains("true or false") {
        return match bare.to_ascii_lowercase().as_str() {
            "true" | "false" => Some("remove the quotes".into()),
            "yes" | "on" | "y" => Some("write `true`".into()),
            "no" | "off" | "n" => Some("write `false`".into()),
            _ => None,
        };
    }
    None
}

/// The type names of a schema.
fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ if schema.get("properties").is_some() => vec!["object"],
        _ => Vec::new(),
    }
}

/// Whether a value may be of the type.
fn fits(node: &Node, name: &str, schema: &Value) -> bool {
    match (&node.value, name) {
        (NodeValue::Null, "null") | (NodeValue::List(_), "array") | (NodeValue::Map(_), "object") => true,
        // The items say whether splitting makes sense.
        (NodeValue::Scalar { .. }, "array") => schema.get("items").is_some_and(|items| {
            types(items).contains(&"string") || leaf::choices(items).is_some() || items.get("$ref").is_some()
        }),
        (NodeValue::Scalar { .. }, "string") => true,
        (NodeValue::Scalar { text, plain: true }, "boolean") => super::scalar::as_bool(text).is_some(),
        (NodeValue::Scalar { text, plain: true }, "integer") => super::scalar::as_int(text).is_some(),
        (NodeValue::Scalar { text, plain: true }, "number") => super::scalar::as_float(text).is_some(),
        _ => false,
    }
}

/// What may stand there, in words.
fn expected(types: &[&str]) -> String {
    let words: Vec<_> = types
        .iter()
        .filter(|name| **name != "null")
        .map(|name| match *name {
            "object" => "a map",
            "array" => "a list",
            "integer" => "a whole number",
            "number" => "a number",
            "boolean" => "true or false",
            _ => "text",
        })
        .collect();
    words.join(" or ")
}

/// Text as a list.
fn split(node: &Node) -> Option<Node> {
    let text = node.text()?;
    let items = text
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| Node { origin: node.origin.clone(), value: NodeValue::Scalar { text: item.into(), plain: true } });
    Some(Node { origin: node.origin.clone(), value: NodeValue::List(items.collect()) })
}
